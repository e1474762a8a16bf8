"""What the user can mend: one line on stderr and exit code 2, no traceback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from jobcore.errors import JobcoreError

if TYPE_CHECKING:
    from collections.abc import Generator


class Mistake(click.ClickException):
    """A wrong word on the command line, or a storage that cannot be reached."""

    exit_code = 2


@contextmanager
def told_to_the_user() -> Generator[None]:
    """What jobcore refuses in here is a mistake on the command line, and its reason is all there is to say."""
    try:
        yield
    except JobcoreError as error:
        raise Mistake(str(error)) from error
