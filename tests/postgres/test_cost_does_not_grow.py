"""What a statement reads does not grow with what lies there: no plan sorts or searches, and pages are counted."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from jobcore import JobResult, NewJobInfo, PostgresStorage
from jobcore.postgres import housekeeping
from jobcore.postgres.sources import Own
from jobcore.postgres.statements import Statements
from tests.postgres.proxy import Fate, Proxy, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tests.postgres.server import Server

ME = UUID(int=1)
SOON = timedelta(hours=1)
MANY = 20_000
BATCH = 100

STATEMENTS = Statements("jobcore")
HELD = ([ME] * 3, [ME] * 3, [1] * 3)
CALLS: dict[str, tuple[Any, ...]] = {
    "info": (ME,),
    "claim": (None, "default", [ME] * BATCH, True),
    "rise": (None, "default"),
    "ahead": (None, "default"),
    "undo": (*HELD, HELD[0]),
    "heartbeat": (None, *HELD),
    "remove": HELD,
    "known": (HELD[0],),
    "held": (None, *HELD),
    "put_back": (None, HELD[0], ["2020-01-01 00:00+00"] * 3, [True] * 3, [1] * 3, [None] * 3),
    "hold": (None, ME, BATCH),
    "forget": (HELD[0],),
    "release": (None, HELD[0]),
}


async def explained(connection: Any, name: str) -> Any:
    """The plan of a statement, which was carried out and undone; with what it read."""
    transaction = connection.transaction()
    await transaction.start()
    text = await connection.fetchval(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + getattr(STATEMENTS, name), *CALLS[name]
    )
    await transaction.rollback()
    return json.loads(text)[0]["Plan"]


def nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def pages(plan: Any) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def filled(storage: PostgresStorage, number: int, **options: Any) -> None:
    for _ in range(0, number, MANY // 2):
        await storage.push_many([NewJobInfo("job", **options)] * min(number, MANY // 2))


async def vacuumed(storage: PostgresStorage) -> None:
    """Wait until the vacuum that was asked for has ended."""
    engine: Any = storage._engine
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(engine._housekeeper.finished(), engine._loop))


def looked_at(dsn: str, look: Callable[[PostgresStorage, Any], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        connection = await Own(dsn, 1, session=True).connect()
        try:
            async with PostgresStorage(dsn) as storage:
                await look(storage, connection)
        finally:
            await connection.close()

    asyncio.run(run())


@pytest.mark.parametrize("analyzed", [False, True], ids=["without statistics", "with statistics"])
def test_no_statement_sorts_or_searches(dsn: str, analyzed: bool) -> None:  # noqa: FBT001  (a parameter of pytest)
    async def look(storage: PostgresStorage, connection: Any) -> None:
        await filled(storage, 1_000)
        await storage.pop_many("default", ME, 100)
        await filled(storage, 1_000, next_queue=SOON, priority=1)
        if analyzed:
            await connection.execute("ANALYZE jobcore.job")
        for name in CALLS:
            kinds = {node["Node Type"] for node in nodes(await explained(connection, name))}
            # The ids that `hold` found are few, and sorted so that none is taken twice.
            allowed = {"Sort"} if name == "hold" else set()
            assert set() == kinds & {"Seq Scan", "Sort", "Hash Join", "Merge Join", "Bitmap Heap Scan"} - allowed, name

    looked_at(dsn, look)


def test_a_claim_reads_as_much_whatever_else_lies_there(dsn: str) -> None:
    async def look(storage: PostgresStorage, connection: Any) -> None:
        async def read() -> int:
            await connection.execute("VACUUM jobcore.job")  # what claims leave behind is the business of the next test
            return pages(await explained(connection, "claim"))

        await filled(storage, 1_000)
        few = await read()
        await filled(storage, MANY)
        assert await read() <= 1.5 * few, "with many ready"
        await filled(storage, MANY, next_queue=SOON, priority=1)
        assert await read() <= 1.5 * few, "behind many of a higher priority that are not due"
        for _ in range(5):
            await storage.pop_many("default", ME, 1_000)
        assert await read() <= 1.5 * few, "with many running"

    looked_at(dsn, look)


def test_what_finished_jobs_leave_behind_is_cleared_away(dsn: str) -> None:
    async def look(storage: PostgresStorage, connection: Any) -> None:
        await filled(storage, 1_000)
        few = pages(await explained(connection, "claim"))
        for _ in range(3):
            await filled(storage, MANY)
            for _ in range(MANY // 1_000):
                jobs = await storage.pop_many("default", ME, 1_000)
                await storage.complete_many([job.returned(JobResult.SUCCESS, ME) for job in jobs])
        await vacuumed(storage)
        # 60,000 jobs were claimed and ended: 120,000 dead entries in `ready` and `resting`, of which a claim that had
        # to pass them would read some 400 pages. The latest of them may still be there.
        assert pages(await explained(connection, "claim")) <= 2.5 * few

    looked_at(dsn, look)


def test_a_storage_without_the_right_to_vacuum_works_on(dsn: str) -> None:
    async def run() -> None:
        owner = await asyncpg.connect(dsn)
        async with PostgresStorage(dsn):
            await owner.execute("""
                CREATE ROLE worker LOGIN;
                GRANT USAGE ON SCHEMA jobcore TO worker;
                GRANT SELECT, INSERT, UPDATE, DELETE ON jobcore.job TO worker;
                GRANT SELECT ON jobcore.migration TO worker;
                GRANT USAGE ON SEQUENCE jobcore.place TO worker""")
        try:
            async with PostgresStorage(dsn.replace("//postgres@", "//worker@")) as storage:
                for _ in range(3):
                    await filled(storage, MANY // 2)
                    jobs = await storage.pop_many("default", ME, MANY // 2)
                    await storage.complete_many([job.returned(JobResult.SUCCESS, ME) for job in jobs])
                await vacuumed(storage)
                assert 0 == (await storage.stats()).jobs
        finally:
            await owner.execute("DROP OWNED BY worker; DROP ROLE worker")
            await owner.close()

    asyncio.run(run())


def test_a_vacuum_whose_connection_breaks_fails_no_call_and_is_tried_again(
    server: Server, dsn: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(housekeeping, "OFTEN", 1)
    caplog.set_level("DEBUG", "jobcore")

    async def run() -> None:
        async with Proxy(server) as proxy, PostgresStorage(proxy.url(dsn)) as storage:
            await filled(storage, 3)
            for fails in (True, False):
                if fails:
                    proxy.once(Fate.CUT, Way.TO_SERVER, b"VACUUM")
                caplog.clear()
                job = await storage.pop("default", ME)
                await vacuumed(storage)
                assert fails == ("a vacuum failed" in caplog.text)
                await storage.heartbeat(job.id, ME)

    asyncio.run(run())
