from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.postgres.server import Server, installations

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[Server | None]:
    """The newest PostgreSQL that is here, if there is any."""
    found = installations()
    if not found:
        yield None
        return
    with Server(found[-1], fsync="off") as running:
        yield running
