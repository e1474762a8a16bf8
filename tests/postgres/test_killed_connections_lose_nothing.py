"""Connections ended at random, and a server restarted, under load of several processes: nothing lost, no two holders.

`KILLS=100` in the environment (`make crash-postgres`) asks for that many, with a restart after every twentieth; without
it there are a few.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from jobcore import PostgresStorage
from tests.postgres.load import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres.server import Server

KILLS = int(os.environ.get("KILLS", "10"))
RESTARTS = max(2, KILLS // 20)
PROCESSES = 4
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(0)


@contextlib.contextmanager
def at_work(dsn: str, journals: list[Path]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that work, each with its journal; killed at the end, if they have not ended before."""
    with contextlib.ExitStack() as stack:
        running = []
        for seed, journal in enumerate(journals):
            command = (sys.executable, "-m", "tests.postgres.load", dsn, journal, str(seed))
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            stack.enter_context(process)
            stack.callback(process.kill)
            running.append(process)
        for process in running:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        yield running


async def kill_one(dsn: str) -> bool:
    """Whether there was one."""
    connection = await asyncpg.connect(dsn)
    killed = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jobcore' "
        "ORDER BY random() LIMIT 1"
    )
    await connection.close()
    return bool(killed)


def test_killed_connections_and_restarts_lose_nothing(own_server: Server, tmp_path: Path) -> None:
    chance = random.Random(KILLS)
    dsn = own_server.create_database()
    journals = [tmp_path / f"journal {number}" for number in range(PROCESSES)]
    restarts = set(chance.sample(range(KILLS), RESTARTS))

    async def disturb() -> None:
        for number in range(KILLS):
            await asyncio.sleep(chance.random() / 3)
            while not await kill_one(dsn):
                await asyncio.sleep(0.01)
            if number in restarts:
                own_server.restart(chance.choice(("fast", "immediate")))

    with at_work(dsn, journals) as running:
        asyncio.run(disturb())
        for process in running:
            assert process.poll() is None, "the load ended by itself"
            assert process.stdin
            process.stdin.close()  # none pushes any more
        assert [0] * PROCESSES == [process.wait(timeout=120) for process in running]

    async def left() -> int:
        async with PostgresStorage(dsn) as storage:
            return (await storage.stats()).jobs

    assert 0 == asyncio.run(left())
    lines = [line for journal in journals for line in journal.read_text().splitlines()]
    assert check(lines, left=()) > 10 * KILLS
