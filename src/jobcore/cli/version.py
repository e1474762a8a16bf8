"""`jobcore version`."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from jobcore._implementation import IMPLEMENTATION


@click.command("version")
def command() -> None:
    """Say which jobcore this is, in which form, on which Python."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    click.echo(f"jobcore {version('jobcore')} ({IMPLEMENTATION}), {python}")
