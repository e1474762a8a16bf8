"""What one call fails with is told to that one, and what strikes the database to all who are not answered yet.

Triggers that somebody else has put into the file stand for what else SQLite can fail with.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

from jobcore import NewJobInfo, SqliteStorage, StorageUnavailable

if TYPE_CHECKING:
    from pathlib import Path

ME = UUID(int=1)

REFUSES = "CREATE TRIGGER refuses BEFORE INSERT ON job WHEN new.name = 'refused' BEGIN SELECT raise(ABORT, 'no'); END"
BREAKS = "CREATE TRIGGER breaks BEFORE INSERT ON job WHEN new.name = 'breaks' BEGIN SELECT json('{'); END"
KEEPS = "CREATE TRIGGER keeps BEFORE UPDATE ON job WHEN new.name = 'kept' BEGIN SELECT json('{'); END"


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in statements:
            other.execute(statement)


def test_a_call_that_the_database_refuses_does_not_fail_those_beside_it(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            alter(path, REFUSES)
            new = [NewJobInfo(name) for name in ("good", "refused", "good")]
            outcomes = await asyncio.gather(*map(storage.push, new), return_exceptions=True)

            assert [UUID, StorageUnavailable, UUID] == [type(outcome) for outcome in outcomes]
            assert 2 == (await storage.stats()).jobs

    asyncio.run(run())


def test_a_failure_after_some_were_answered_is_told_to_the_others_alone(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            alter(path, REFUSES, BREAKS)
            new = [NewJobInfo(name) for name in ("good", "refused", "breaks", "behind it")]
            good, *failed = await asyncio.gather(*map(storage.push, new), return_exceptions=True)

            assert isinstance(good, UUID)
            for error, reason in zip(failed, ("no", "malformed JSON", "malformed JSON"), strict=True):
                assert isinstance(error, StorageUnavailable)
                assert reason == error.reason
            assert "good" == (await storage.pop("default", ME)).name
            assert 1 == (await storage.stats()).jobs

    asyncio.run(run())


def test_a_pop_whose_claim_fails_is_told_and_the_calls_beside_it_are_not_failed(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            await storage.push(NewJobInfo("kept"))
            alter(path, REFUSES, KEEPS)
            pop, refused, good = await asyncio.gather(
                storage.pop("default", ME),
                storage.push(NewJobInfo("refused")),
                storage.push(NewJobInfo("good", queue="other")),
                return_exceptions=True,
            )
            assert isinstance(pop, StorageUnavailable)
            assert isinstance(refused, StorageUnavailable)
            assert ("malformed JSON", "no") == (pop.reason, refused.reason)
            assert good == (await storage.pop("other", ME)).id

            alter(path, "DROP TRIGGER keeps")
            job = await storage.pop("default", ME)
            assert ("kept", 1) == (job.name, job.delivery_count)

    asyncio.run(run())
