"""No statement of a verb searches what it does not need: each goes by an index, in the index's order.

`JOBS=1000000` in the environment lets so many come and go; without it there are fewer.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from jobcore import JobResult, NewJobInfo, SqliteStorage
from jobcore.sqlite import tables
from jobcore.sqlite.schema import upgrade
from jobcore.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ME = UUID(int=1)
JOBS = int(os.environ.get("JOBS", "20000"))
BY_INDEX = (
    *("HEARTBEAT", "HEARTBEAT_ALL", "HELD", "INFO", "KNOWN", "REMOVE", "REMOVE_ALL", "RELEASE", "RETRY", "CLAIM"),
    *("UNDO", "RISE", "SINK", "READY", "NEXT", "FIRST", "FORGET", "LET_GO", "HOLD"),
)
THE_LIST = "VIRTUAL TABLE INDEX"
"""How a plan says that it goes through the list of jobs that the statement is about."""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        upgrade(connection, "memory")
        yield connection


@pytest.mark.parametrize("name", BY_INDEX)
def test_a_statement_goes_by_an_index(connection: sqlite3.Connection, name: str) -> None:
    statement: str = getattr(tables, name)
    numbered = re.findall(r"\?(\d)", statement)
    numbers = int(max(numbered)) if numbered else statement.count("?")
    plan = [row[-1] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, (None,) * numbers)]
    plan = [step for step in plan if THE_LIST not in step]

    assert plan
    assert [] == [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step], plan


def test_gauges_read_no_rows(connection: sqlite3.Connection) -> None:
    plan = [row[-1] for row in connection.execute("EXPLAIN QUERY PLAN " + tables.GAUGES)]
    assert ["SCAN job USING COVERING INDEX turn"] == plan
    plan = [row[-1] for row in connection.execute("EXPLAIN QUERY PLAN " + tables.LAPSED)]
    assert ["SCAN job USING INDEX lapsed"] == [step.replace("COVERING ", "") for step in plan]


def test_jobs_that_are_gone_leave_no_bloat(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path, synchronous="normal") as storage:
            for _ in range(JOBS // 1_000):
                await storage.push_many([NewJobInfo("job", "x" * 1000)] * 1_000)
            left = JOBS
            while left:
                jobs = await storage.pop_many("default", ME, 50)
                await storage.complete_many([job.returned(JobResult.SUCCESS, ME) for job in jobs])
                left -= len(jobs)
        assert path.stat().st_size < 4_000_000

    asyncio.run(run())


def test_many_that_come_due_at_once_do_so_in_steps_and_in_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "STEP", 10)

    async def run() -> None:
        clock = FakeClock()
        async with SqliteStorage(path, clock=clock) as storage:
            rest = timedelta(seconds=1)
            await storage.push_many([NewJobInfo(str(n), priority=n % 7, next_queue=rest) for n in range(100)])
            clock.skip(1)
            jobs = [await storage.pop("default", ME) for _ in range(100)]
            expected = sorted(range(100), key=lambda n: (-(n % 7), n))
            assert [str(n) for n in expected] == [job.name for job in jobs]

    asyncio.run(run())
