"""`jobcore completion`: click's own, printed for the shell to read."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that completes this command line: eval "$(jobcore completion bash)"."""
    completion = get_completion_class(shell) or ShellComplete
    click.echo(completion(context.find_root().command, {}, "jobcore", "_JOBCORE_COMPLETE").source())
