"""Jobs are there for the next storage on the file, in this process or another, as they were."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from jobcore import JobResult, LeaseLost, NewJobInfo, ReturnJobInfo, SqliteStorage
from jobcore.jobs import Linear

if TYPE_CHECKING:
    from pathlib import Path

ME = UUID(int=1)

ECHO = """
import asyncio, sys
from uuid import UUID
from jobcore import JobResult, NewJobInfo, SqliteStorage

async def main(path):
    async with SqliteStorage(path) as storage:
        while True:
            job = await storage.pop("there", UUID(int=2))
            await storage.complete(job.returned(JobResult.SUCCESS, UUID(int=2)))
            if job.name == "end":
                return
            await storage.push(NewJobInfo(job.name, queue="back"))

asyncio.run(main(sys.argv[1]))
"""

STORM = """
import asyncio, sys
from uuid import uuid4
from jobcore import JobResult, NewJobInfo, SqliteStorage

async def cycle(storage, me):
    for _ in range(20):
        await storage.push(NewJobInfo("job"))
        job = await storage.pop("default", me)
        await storage.complete(job.returned(JobResult.SUCCESS, me))

async def main(path):
    async with SqliteStorage(path) as storage:
        await asyncio.gather(*(cycle(storage, uuid4()) for _ in range(8)))

asyncio.run(main(sys.argv[1]))
"""


def test_all_states_outlast_the_storage(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            held = NewJobInfo("held", {"an": "argument"}, priority=9, backoff=Linear(3), max_retries=None)
            await storage.push(held)
            job = await storage.pop("default", ME)
            await storage.push(NewJobInfo("failing", backoff=Linear(0)))
            failing = await storage.pop("default", ME)
            await storage.complete(failing.returned(JobResult.FAILURE, ME, error="why"))
            await storage.push(NewJobInfo("later", next_queue=timedelta(days=1)))

        async with SqliteStorage(str(path)) as storage:
            assert 3 == (await storage.stats()).jobs
            assert job == await storage.info(job.id)
            with pytest.raises(LeaseLost):
                await storage.heartbeat(job.id, UUID(int=2))
            assert await storage.complete(job.returned(JobResult.SUCCESS, ME))
            again = await storage.pop("default", ME)
            assert ("failing", 1, 2, "why") == (again.name, again.retry_count, again.delivery_count, again.last_error)

    asyncio.run(run())


def test_the_views_can_be_read(path: Path) -> None:
    async def run() -> list[UUID]:
        async with SqliteStorage(path) as storage:
            new = [NewJobInfo("running", queue="one"), NewJobInfo("ready", ["ü"]), NewJobInfo("later", next_queue=day)]
            ids = await storage.push_many(new)
            await storage.pop("one", ME)
            return ids

    day = timedelta(days=1)
    ids = asyncio.run(run())
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT id, name, state, args, runner_id IS NULL FROM jobs").fetchall()
        queues = connection.execute("SELECT * FROM queues ORDER BY queue").fetchall()
    states = [("running", "running", "null", 0), ("ready", "ready", '["ü"]', 1), ("later", "scheduled", "null", 1)]
    assert [(str(job_id), *state) for job_id, state in zip(ids, states, strict=True)] == rows
    assert [("default", 2, 1, 1, 0, 0), ("one", 1, 0, 0, 1, 0)] == queues


def test_a_push_in_another_process_wakes(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            with subprocess.Popen([sys.executable, "-c", ECHO, path]) as echo:
                for number in range(10):
                    await storage.push(NewJobInfo(str(number), queue="there"))
                    async with asyncio.timeout(60):
                        assert str(number) == (await storage.pop("back", ME)).name
                await storage.push(NewJobInfo("end", queue="there"))
            assert 0 == echo.returncode

    asyncio.run(run())


def test_many_processes_at_once_meet_no_lock(path: Path) -> None:
    storms = [subprocess.Popen([sys.executable, "-c", STORM, path], stderr=subprocess.PIPE) for _ in range(4)]
    outcomes = [storm.communicate(timeout=100)[1] for storm in storms]

    assert [b""] * 4 == outcomes
    assert [0] * 4 == [storm.returncode for storm in storms]

    async def left() -> int:
        async with SqliteStorage(path) as storage:
            return (await storage.stats()).jobs

    assert 0 == asyncio.run(left())


def test_calls_work_without_opening_and_a_collected_storage_lets_go(path: Path) -> None:
    async def run() -> None:
        storage = SqliteStorage(path)
        job_id = await storage.push(NewJobInfo("job"))
        del storage
        async with SqliteStorage(path) as storage:
            assert await storage.complete(ReturnJobInfo(job_id, JobResult.DEAD))
        await SqliteStorage(path).aclose()

    asyncio.run(run())
