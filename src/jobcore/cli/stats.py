"""`jobcore stats`: what a storage holds and has counted, once or again and again."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from jobcore.cli._mistakes import Mistake
from jobcore.cli._params import Seconds
from jobcore.cli._targets import app_of, storage_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcore.app import App
    from jobcore.stats import QueueStats, StorageStats

HOME_AND_CLEAR = "\x1b[H\x1b[J"
GAUGES = ("queues", "jobs", "running")


@click.command("stats")
@click.argument("target")
@click.option(
    "--watch", type=Seconds(), is_flag=False, flag_value=2.0, help="Again and again; every 2 s, or --watch=N."
)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, on one line.")
@click.option("--debug", is_flag=True, help="Show the traceback of a module that raises.")
def command(target: str, watch: float | None, *, as_json: bool, debug: bool) -> None:
    """Show how many jobs are there, by queue, and what became of those before them."""
    asyncio.run(_show(app_of(target, debug=debug), watch, as_json=as_json))


async def _show(app: App, watch: float | None, *, as_json: bool) -> None:
    redraws = watch is not None and not as_json and sys.stdout.isatty()
    async with storage_of(app) as storage:
        count: Callable[[], Any] | None = getattr(storage, "stats", None)
        if count is None:
            raise Mistake(f"a {type(storage).__name__} does not count")
        while True:
            answer = count()
            stats: StorageStats = await answer if inspect.isawaitable(answer) else answer
            text = json.dumps(asdict(stats)) if as_json else _table(stats)
            click.echo(f"{HOME_AND_CLEAR}{text}" if redraws else text)
            if watch is None:
                return
            await asyncio.sleep(watch)


def _table(stats: StorageStats) -> str:
    queues: dict[str, QueueStats | StorageStats] = {**stats.by_queue, "all": stats}
    width = max(len(queue) for queue in queues) + 2
    lines = [f"{'queue':<{width}}{'jobs':>12}{'running':>12}"]
    lines += [f"{queue:<{width}}{one.jobs:>12,}{one.running:>12,}" for queue, one in queues.items()]
    counters = {name: value for name, value in asdict(stats).items() if name not in {*GAUGES, "by_queue"}}
    return "\n".join([*lines, "", *(f"{name:<{width + 12}}{value:>12,}" for name, value in counters.items())])
