"""A worker that takes one message, says so, and never ends: to be killed."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from taskiq.api import run_receiver_task

from jobcore.contrib.taskiq import JobcoreBroker

broker = JobcoreBroker(sys.argv[1], heartbeat_interval=timedelta(milliseconds=100))


@broker.task("task")
async def task() -> None:
    print("taken", flush=True)  # noqa: T201
    await asyncio.Event().wait()


asyncio.run(run_receiver_task(broker))
