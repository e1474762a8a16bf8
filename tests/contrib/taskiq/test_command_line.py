"""`taskiq worker` on our broker: it carries out what is there, and ends when it is told to while it waits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("taskiq", reason="taskiq is in the group `contrib`, where this Python has its wheels")

from taskiq import BrokerMessage

from jobcore.contrib.taskiq import JobcoreBroker

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60
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
    command = [sys.executable, "-m", "taskiq", "worker", "app:broker", "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    worker = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert worker.stdout
        assert b"carried out\n" == worker.stdout.readline()
        worker.send_signal(signal.SIGTERM)
        assert 0 == worker.wait(PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()
