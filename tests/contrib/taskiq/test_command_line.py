"""`taskiq worker` on our broker: it carries out what is there, and ends when it is told to while it waits."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("taskiq", reason="taskiq is in the group `contrib`, where this Python has its wheels")

from taskiq import BrokerMessage

from jobcore.contrib.taskiq import JobcoreBroker
from tests.contrib.shared.commands import PATIENCE, await_text, running

if TYPE_CHECKING:
    from pathlib import Path

APP = """
from jobcore.contrib.taskiq import JobcoreBroker

broker = JobcoreBroker({url!r})


@broker.task("say")
async def say() -> None:
    print("carried out", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_a_worker_that_waits_ends_when_it_is_told_to(durable_url: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(url=durable_url))

    async def kick() -> None:
        broker = JobcoreBroker(durable_url)
        text = b'{"task_id": "1", "task_name": "say", "labels": {}, "args": [], "kwargs": {}}'
        await broker.kick(BrokerMessage(task_id="1", task_name="say", message=text, labels={}))
        await broker.shutdown()

    asyncio.run(kick())
    log = tmp_path / "worker.log"
    with running("taskiq worker app:broker --workers 1", tmp_path, log, PYTHONPATH=str(tmp_path)) as worker:
        await_text(log, "carried out\n")
        worker.send_signal(signal.SIGTERM)
        assert 0 == worker.wait(PATIENCE)
