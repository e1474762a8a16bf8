"""`jobcore push`: one job, by its name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from jobcore.cli._mistakes import told_to_the_user
from jobcore.cli._params import JSON, Delay, Moment
from jobcore.cli._targets import load_app, refuse_memory, storage_of

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore.app import App


@click.command("push")
@click.argument("app", metavar="MODULE:APP")
@click.argument("name")
@click.argument("args", metavar="[JSON]", type=JSON(), default="{}")
@click.option("--after", type=Delay(), help="Due so many seconds from now.")
@click.option("--at", type=Moment(), help="Due at this moment.")
@click.option("--queue", help="In place of the job's own.")
@click.option("--priority", type=int, help="In place of the job's own.")
@click.option("--id", type=click.UUID, help="Pushed under this id, once however often it is tried.")
@click.option("--debug", is_flag=True, help="Show the traceback of a module that raises.")
def command(app: str, name: str, args: Any, *, debug: bool, **options: Any) -> None:
    """Push a job with its arguments, a JSON object, and print its id."""
    given = {option: value for option, value in options.items() if value is not None}
    click.echo(asyncio.run(_push(load_app(app, debug=debug), name, args, given)))


async def _push(app: App, name: str, args: Any, options: dict[str, Any]) -> UUID:
    async with storage_of(app) as storage:
        refuse_memory(storage, "the job would vanish with this process")
        with told_to_the_user():
            return await app.push_named(name, args, **options)
