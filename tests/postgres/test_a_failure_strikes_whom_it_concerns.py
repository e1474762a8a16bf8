"""What the server refuses of one call is told to that one; those that go with it in one statement are not failed.

A trigger that somebody else has put on the table stands for whatever a server can refuse.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from jobcore import JobResult, NewJobInfo, PostgresStorage, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

ME = UUID(int=1)

REFUSES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
CREATE TRIGGER refuses BEFORE INSERT ON jobcore.job FOR EACH ROW WHEN (new.name = 'refused') EXECUTE FUNCTION refuse();
CREATE TRIGGER keeps BEFORE UPDATE ON jobcore.job FOR EACH ROW
    WHEN (new.name = 'kept' AND new.retries > 0) EXECUTE FUNCTION refuse();
"""


async def refuse(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(REFUSES)
    await connection.close()


def told(outcomes: Sequence[object]) -> list[object]:
    """Their types, or why they failed."""
    return [outcome.reason if isinstance(outcome, StorageUnavailable) else type(outcome) for outcome in outcomes]


@pytest.mark.parametrize("number", [1, 500], ids=["lone jobs", "large batches"])
def test_a_push_that_is_refused_does_not_fail_those_beside_it(dsn: str, number: int) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn) as storage:
            await refuse(dsn)
            batches = [[NewJobInfo(name)] * number for name in ("good", "refused", "good")]
            outcomes = await asyncio.gather(*map(storage.push_many, batches), return_exceptions=True)

            assert [list, "not this one", list] == told(outcomes)
            assert 2 * number == (await storage.stats()).jobs
            assert isinstance(await storage.push(NewJobInfo("job")), UUID)

    asyncio.run(scene())


def test_a_put_back_that_is_refused_does_not_fail_those_beside_it_and_can_be_done_otherwise(dsn: str) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn, connections=1) as storage:
            await storage.push_many([NewJobInfo(name) for name in ("job", "kept", "job")])
            jobs = await storage.pop_many("default", ME, 3)
            await refuse(dsn)
            failures = [job.returned(JobResult.FAILURE, ME) for job in jobs]
            outcomes = await asyncio.gather(*map(storage.complete, failures), return_exceptions=True)

            assert [bool, "not this one", bool] == told(outcomes)
            assert await storage.complete(jobs[1].returned(JobResult.DEAD, ME))
            assert (2, 0) == ((stats := await storage.stats()).jobs, stats.running)

    asyncio.run(scene())


def test_many_calls_at_once_go_in_groups_of_a_limited_size_and_keep_their_order(dsn: str) -> None:
    async def scene() -> None:
        connection = await asyncpg.connect(dsn)
        async with PostgresStorage(dsn) as storage:
            await connection.execute("""
                CREATE TABLE statements (number integer, bytes integer);
                CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    INSERT INTO statements SELECT count(*), sum(length(args)) FROM added; RETURN NULL;
                END $$;
                CREATE TRIGGER notes AFTER INSERT ON jobcore.job REFERENCING NEW TABLE AS added
                    FOR EACH STATEMENT EXECUTE FUNCTION note();
            """)
            ids = await asyncio.gather(*(storage.push(NewJobInfo("small")) for _ in range(2_500)))
            assert [1_000, 1_000, 500] == [row["number"] for row in await connection.fetch("TABLE statements")]
            assert ids == [job.id for job in await storage.pop_many("default", ME, 2_500)]

            await connection.execute("TRUNCATE statements")
            megabyte = "x" * 2**20
            sizes = (9, 6, 9, 20, 1)
            await asyncio.gather(*(storage.push(NewJobInfo("big", size * megabyte)) for size in sizes))
            groups = [row["bytes"] // 2**20 for row in await connection.fetch("TABLE statements")]
            assert [9 + 6, 9, 20, 1] == groups
        await connection.close()

    asyncio.run(scene())
