"""`jobcore migrate`: bring the schema of a durable storage up to date, for those who open it with `migrate=False`."""

from __future__ import annotations

import asyncio

import click

from jobcore.cli._mistakes import told_to_the_user
from jobcore.cli._targets import refuse_memory
from jobcore.opening import open_storage


@click.command("migrate")
@click.argument("url")
def command(url: str) -> None:
    """Make or upgrade the schema of the storage at URL; where it is up to date, change nothing."""
    with told_to_the_user():
        asyncio.run(_migrate(url))
    click.echo(f"{url} is up to date")


async def _migrate(url: str) -> None:
    storage = open_storage(url)
    refuse_memory(storage, "it has no schema")
    async with storage:
        pass
