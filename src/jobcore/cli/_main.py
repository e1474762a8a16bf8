"""The command `jobcore`: its subcommands, a module each, and how it ends.

click parses. The ending is our own: what the user did wrong is one line on stderr, with the command that helps.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from jobcore.cli import completion, copy, demo, info, migrate, push, stats, version, worker

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells count it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def cli() -> None:
    """Background jobs: run workers, push jobs, look at them.

    TARGET is an app (`module:app`, found from the current directory) or, where no app is needed, the URL of a storage.
    """


for module in (worker, push, info, stats, copy, migrate, demo, version, completion):
    cli.add_command(module.command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and end the process with its exit code."""
    try:
        code = cli.main(arguments, prog_name="jobcore", standalone_mode=False)
    except NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"{_origin(error)}: {error.format_message()}", err=True)
        code = error.exit_code
    except click.Abort:
        code = INTERRUPTED
    sys.exit(code)


def _origin(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"jobcore (see {context.command_path} --help)" if isinstance(context, click.Context) else "jobcore"
