"""`jobcore worker`: one worker in this process, or one in each of several, with this one above them."""

from __future__ import annotations

import asyncio
import sys

import click

from jobcore.cli import _logging
from jobcore.cli._lifeline import hold_on
from jobcore.cli._mistakes import Mistake, told_to_the_user
from jobcore.cli._params import Queue, Seconds
from jobcore.cli._stopping import Stopping
from jobcore.cli._supervisor import Supervisor
from jobcore.cli._targets import load_app, refuse_memory, storage_of
from jobcore.worker import Worker


@click.command("worker")
@click.argument("target", metavar="MODULE:APP")
@click.option("-q", "--queue", "queues", multiple=True, type=Queue(), help="A queue, and how many jobs of it at once.")
@click.option("--grace", type=Seconds(), default=30.0, help="What running jobs have when the worker stops.")
@click.option("--processes", type=click.IntRange(1), default=1, help="Workers, a process each; on durable storages.")
@click.option("--max-lost", type=click.IntRange(0), default=5, help="Leases that a job may lose before it is dead.")
@click.option("--log-level", type=click.Choice(_logging.LEVELS), default="info")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text")
@click.option("--lifeline", is_flag=True, hidden=True, help="Stop when stdin ends: for workers under a supervisor.")
def command(
    target: str,
    queues: tuple[tuple[str, int], ...],
    grace: float,
    processes: int,
    max_lost: int,
    log_level: str,
    log_format: str,
    *,
    lifeline: bool,
) -> None:
    """Carry out jobs until SIGINT or SIGTERM, then hand back what is not done in time."""
    _logging.configure(log_level, log_format)
    debug = log_level == "debug"
    if processes > 1:
        arguments = [target, f"--grace={grace}", f"--max-lost={max_lost}", f"--log-level={log_level}"]
        arguments += [f"--log-format={log_format}", *(f"--queue={queue}={limit}" for queue, limit in queues)]
        asyncio.run(_supervise(target, processes, arguments, grace, debug=debug))
        return
    stopping = Stopping(grace)
    if lifeline:
        hold_on(stopping)
    app = load_app(target, debug=debug)
    with told_to_the_user():
        worker = Worker(app, dict(queues) or None, grace=grace, max_lost=max_lost)
        asyncio.run(stopping.run(worker))


async def _supervise(target: str, processes: int, arguments: list[str], grace: float, *, debug: bool) -> None:
    if sys.platform == "win32":
        raise Mistake("--processes needs process groups, which Windows does not have: start workers one by one")
    async with storage_of(load_app(target, debug=debug)) as storage:
        refuse_memory(storage, "each of the processes would have jobs of its own; use --processes 1")
    await Supervisor(processes, arguments, grace).run()
