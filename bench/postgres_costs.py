"""What the statements of `PostgresStorage` read and how long they take, as the table grows; on a server of its own.

`python -m bench.postgres_costs [JOBS] [INTO]` writes a page of tables. Pages are those of `EXPLAIN (ANALYZE, BUFFERS)`,
8 KiB each, cached or not, for one job of the statement's batch.
"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from contextlib import suppress
from datetime import timedelta
from os import cpu_count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from jobcore import JobResult, NewJobInfo, PostgresStorage
from jobcore.postgres.sources import Own
from jobcore.postgres.statements import Statements
from tests.postgres.server import Server, installations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ME = UUID(int=1)
LONG = timedelta(minutes=5)
STATEMENTS = Statements("jobcore")
BATCH = 100
RUNS = 15


class Bench:
    """A storage, and a look at what its statements cost now."""

    def __init__(self, storage: PostgresStorage, connection: Any) -> None:
        self.storage = storage
        self.connection = connection
        self.rows: list[list[str]] = []

    async def fill(self, number: int, **options: Any) -> None:
        for _ in range(0, number, 10_000):
            await self.storage.push_many([NewJobInfo("job", heartbeat_interval=LONG, **options)] * 10_000)

    async def explain(self, statement: str, *arguments: object) -> tuple[float, float]:
        """Pages and milliseconds of a statement that is undone; the median of some runs."""
        pages: list[int] = []
        times: list[float] = []
        for _ in range(RUNS):
            transaction = self.connection.transaction()
            await transaction.start()
            text = await self.connection.fetchval("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, *arguments)
            await transaction.rollback()
            plan = json.loads(text)[0]
            pages.append(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
            times.append(plan["Execution Time"])
        return median(pages), median(times)

    async def look(self, state: str) -> None:
        """A row of the table."""
        held = await self.storage.pop_many("default", ME, BATCH)
        ids = sorted(job.id for job in held)
        fence = (ids, [ME] * len(ids), [1] * len(ids))
        calls: dict[str, tuple[str, tuple[Any, ...]]] = {
            "claim": (STATEMENTS.claim, (None, "default", [ME] * BATCH, True)),
            "ahead": (STATEMENTS.ahead, (None, "default")),
            "heartbeat": (STATEMENTS.heartbeat, (None, *fence)),
            "remove": (STATEMENTS.remove, fence),
        }
        row = [state]
        for name, (statement, arguments) in calls.items():
            pages, milliseconds = await self.explain(statement, *arguments)
            row.append(f"{pages / (1 if name == 'ahead' else BATCH):.1f} / {milliseconds:.2f}")
        times = [await timed(lambda: self.storage.pop("default", ME)) for _ in range(RUNS)]
        row.append(f"{1000 * median(times):.2f}")
        self.rows.append(row)


async def timed(act: Callable[[], Awaitable[object]]) -> float:
    begin = perf_counter()
    await act()
    return perf_counter() - begin


async def measure(server: Server, jobs: int) -> list[list[str]]:
    dsn = server.dsn()
    connection = await Own(dsn, 1, session=True).connect()
    async with PostgresStorage(dsn) as storage:
        bench = Bench(storage, connection)
        await bench.fill(10_000)
        await bench.look("10,000 ready")
        await bench.fill(jobs)
        await bench.look(f"{jobs:,} ready")
        for _ in range(max(1, jobs // 100_000)):
            await storage.pop_many("default", ME, 1_000)
        await bench.look(f"and {max(1, jobs // 100_000) * 1_000:,} running")
        await bench.fill(jobs, priority=1, next_queue=timedelta(days=1))
        await bench.look(f"and {jobs:,} of a higher priority that rest")
        for _ in range(jobs * 3 // 10_000):
            done = await storage.pop_many("default", ME, 1_000)
            with suppress(IndexError):
                await storage.complete_many([job.returned(JobResult.SUCCESS, ME) for job in done])
        await bench.look(f"after {jobs * 3 // 10:,} were carried out")
    await connection.close()
    return bench.rows


def main() -> None:
    given = dict(enumerate(sys.argv[1:]))
    jobs = int(given.get(0, "1000000"))
    into = Path(given.get(1, "bench/results/postgres-costs.md"))
    newest = installations()[-1]
    with Server(newest) as server:
        version = server.version
        rows = asyncio.run(measure(server, jobs))
    head = ["in the queue", "claim of 100", "what comes next", "heartbeat of 100", "removal of 100", "pop, ms"]
    lines = [
        "# What the statements of PostgresStorage cost as the table grows",
        "",
        "Made by `python -m bench.postgres_costs`, on a server of its own at its defaults:",
        f"PostgreSQL {version}, {cpu_count()} cores, {platform.machine()}.",
        f"A cell is pages read for one job / milliseconds of the whole statement on the server, the median of {RUNS}",
        "runs; *what comes next* is one row. *pop* is the call from Python, its commit included.",
        "",
        "| " + " | ".join(head) + " |",
        "| --- " * len(head) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
    ]
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
