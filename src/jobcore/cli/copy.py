"""`jobcore copy`: move the jobs of one storage to another."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from jobcore.cli._mistakes import told_to_the_user
from jobcore.cli._targets import app_of, storage_of
from jobcore.copying import copy

if TYPE_CHECKING:
    from jobcore.app import App


@click.command("copy")
@click.argument("source")
@click.argument("target")
@click.option("--debug", is_flag=True, help="Show the traceback of a module that raises.")
def command(source: str, target: str, *, debug: bool) -> None:
    """Move all jobs from SOURCE to TARGET, but those that a runner works on; run again, it goes on where it ended."""
    with told_to_the_user():
        moved = asyncio.run(_copy(app_of(source, debug=debug), app_of(target, debug=debug)))
    click.echo(f"{moved:,} jobs moved")


async def _copy(source: App, target: App) -> int:
    async with storage_of(source) as from_storage, storage_of(target) as to_storage:
        return await copy(from_storage, to_storage, progress=_show if sys.stderr.isatty() else None)


def _show(moved: int) -> None:
    click.echo(f"\r{moved:,} jobs moved", nl=False, err=True)
