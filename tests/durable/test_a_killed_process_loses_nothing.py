"""`kill -9` at random moments, under load of several processes: no job is lost, none has two holders.

`KILLS=200` in the environment (`make crash`) asks for that many; without it there are a few.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from jobcore import SqliteStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

LOAD = Path(__file__).with_name("crash_load.py")
KILLS = int(os.environ.get("KILLS", "8"))
PROCESSES = 4

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does"), pytest.mark.timeout(0)]


def start(database: Path, journal: Path, seed: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, LOAD, database, journal, str(seed)], stdin=subprocess.DEVNULL)


def until_it_runs(process: subprocess.Popen[bytes], journal: Path) -> None:
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().startswith(b"ready")):
        assert process.poll() is None, "the load ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def facts(journals: list[Path]) -> Iterator[list[str]]:
    for journal in journals:
        # One that was killed before it began has none.
        for line in journal.read_text().splitlines() if journal.exists() else ():
            yield line.split()


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    chance = random.Random(KILLS)
    database = tmp_path / "jobs.db"
    journals: list[Path] = []
    running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def begin() -> None:
        journals.append(tmp_path / f"journal {len(journals)}")
        running.append((start(database, journals[-1], len(journals)), journals[-1]))

    try:
        for _ in range(PROCESSES):
            begin()
        for _ in range(KILLS):
            process, journal = running.pop(chance.randrange(len(running)))
            until_it_runs(process, journal)
            time.sleep(chance.random() / 5)  # at whatever it is doing then
            assert process.poll() is None, "the load ended by itself"
            process.kill()
            process.wait()
            begin()
    finally:
        for process, _ in running:
            process.kill()
            process.wait()

    check(database, journals)


def check(database: Path, journals: list[Path]) -> None:  # noqa: C901  (one question after the other)
    with sqlite3.connect(database) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        left = {UUID(bytes=row[0]) for row in connection.execute("SELECT id FROM job")}
    connection.close()

    pushed: set[UUID] = set()
    gone: set[UUID] = set()  # also where the process died in the middle of the call
    completed: set[UUID] = set()
    leases: defaultdict[UUID, list[tuple[int, int, int]]] = defaultdict(list)
    ended: set[tuple[UUID, int]] = set()
    for fact, *rest in facts(journals):
        if fact == "ready":
            continue
        job_id = UUID(rest[0])
        if fact == "pushed":
            pushed.add(job_id)
        elif fact == "popped":
            leases[job_id].append((int(rest[1]), int(rest[2]), int(rest[3])))
        elif fact == "completing":
            gone.add(job_id)
        elif fact == "completed":
            completed.add(job_id)
        elif fact == "releasing":
            ended.add((job_id, int(rest[1])))

    assert len(pushed) > 10 * KILLS
    assert set() == pushed - left - gone, "lost"
    assert set() == completed & left, "completed, and there again"
    for job_id, taken in leases.items():
        assert len(taken) == len({delivery for delivery, _, _ in taken}), "one delivery, two holders"
        for (delivery, _, until), (_, since, _) in zip(sorted(taken), sorted(taken)[1:], strict=False):
            assert since > until or (job_id, delivery) in ended, "leased while another lease was valid"

    async def drain() -> int:
        async with SqliteStorage(database) as storage:
            return (await storage.stats()).jobs

    assert len(left) == asyncio.run(drain())
