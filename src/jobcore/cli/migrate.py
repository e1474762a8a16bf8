"""`jobcore migrate`: bring the schema of a durable storage up to date, for those who open it with `migrate=False`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from jobcore.cli._mistakes import Mistake, told_to_the_user
from jobcore.memory import MemoryStorage
from jobcore.opening import open_storage

if TYPE_CHECKING:
    from jobcore.postgres import PostgresStorage
    from jobcore.sqlite import SqliteStorage


@click.command("migrate")
@click.argument("url")
@click.option("--print", "only_print", is_flag=True, help="Print the SQL that makes the schema, and change nothing.")
def command(url: str, *, only_print: bool) -> None:
    """Make or upgrade the schema of the storage at URL; where it is up to date, change nothing."""
    with told_to_the_user():
        if only_print:
            click.echo(_durable(url).migrations(), nl=False)
            return
        asyncio.run(_migrate(url))
    click.echo(f"{url} is up to date")


async def _migrate(url: str) -> None:
    async with _durable(url):
        pass


def _durable(url: str) -> SqliteStorage | PostgresStorage:
    storage = open_storage(url)
    if isinstance(storage, MemoryStorage):
        raise Mistake("not on a MemoryStorage: it has no schema")
    return storage
