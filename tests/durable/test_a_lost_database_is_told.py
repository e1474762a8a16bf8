"""What goes wrong with the file is told as `StorageUnavailable`; what was acknowledged is there when it works again."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from jobcore import JobResult, NewJobInfo, ReturnJobInfo, SqliteStorage, StorageUnavailable
from jobcore.sqlite import database

if TYPE_CHECKING:
    from pathlib import Path

ME = UUID(int=1)
PAGES = 64


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PRAGMAS", (*database.PRAGMAS, f"PRAGMA max_page_count = {PAGES}"))


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_refuses_pushes_loses_nothing_and_takes_them_again(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            big = NewJobInfo("big", "x" * 10_000)
            pushed: set[UUID] = set()
            with pytest.raises(StorageUnavailable, match="full") as caught:  # noqa: PT012  (whichever of them it is)
                while True:
                    pushed.add(await storage.push(big))
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)

            for _ in range(3):
                assert await storage.complete(ReturnJobInfo(pushed.pop(), JobResult.DEAD))
            pushed.add(await storage.push(big))
            assert pushed == {(await storage.pop("default", ME)).id for _ in range(len(pushed))}

    asyncio.run(run())


@pytest.mark.usefixtures("small_disk")
def test_a_call_that_finds_no_room_does_not_fail_those_beside_it(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            new = [NewJobInfo("small"), NewJobInfo("huge", "x" * PAGES * 5_000), NewJobInfo("small")]
            outcomes = await asyncio.gather(*map(storage.push, new), return_exceptions=True)

            assert [UUID, StorageUnavailable, UUID] == [type(outcome) for outcome in outcomes]
            assert 2 == (await storage.stats()).jobs

    asyncio.run(run())


@pytest.mark.usefixtures("small_disk")
def test_a_pop_that_finds_no_room_for_its_lease_is_told_and_takes_nothing(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            pushed: list[UUID] = []
            with pytest.raises(StorageUnavailable, match="full"):  # noqa: PT012  (whichever of them it is)
                while True:
                    pushed.append(await storage.push(NewJobInfo("small")))
            with pytest.raises(StorageUnavailable, match="full"):
                await storage.pop("default", ME)
            stats = await storage.stats()
            assert (len(pushed), 0) == (stats.jobs, stats.running)

            gone = {pushed.pop() for _ in range(len(pushed) // 2)}
            assert await storage.complete_many([ReturnJobInfo(job_id, JobResult.DEAD) for job_id in gone])
            assert pushed == [(await storage.pop("default", ME)).id for _ in range(len(pushed))]

    asyncio.run(run())


def test_a_database_that_cannot_be_written_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            job_id = await storage.push(NewJobInfo("job"))
        with monkeypatch.context() as patch:
            patch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "PRAGMA query_only = on"))
            async with SqliteStorage(path) as storage:
                with pytest.raises(StorageUnavailable, match="readonly"):
                    await storage.push(NewJobInfo("job"))
                assert await storage.info(job_id) is not None
        async with SqliteStorage(path) as storage:
            assert job_id == (await storage.pop("default", ME)).id

    asyncio.run(run())


def test_a_file_that_is_no_database_is_told_and_left_as_it_is(path: Path) -> None:
    async def run() -> None:
        storage = SqliteStorage(path)
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match="not a database"):
                await storage.push(NewJobInfo("job"))
        assert content == path.read_bytes()
        path.unlink()
        assert isinstance(await storage.push(NewJobInfo("job")), UUID)
        await storage.aclose()

    content = b"no database at all " * 1000
    path.write_bytes(content)
    asyncio.run(run())


def test_a_damaged_file_is_told(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            await storage.push_many([NewJobInfo("job", "x" * 1000)] * 200)
        raw = bytearray(path.read_bytes())
        raw[4096:] = b"\xff" * (len(raw) - 4096)
        path.write_bytes(raw)
        storage = SqliteStorage(path)
        with pytest.raises(StorageUnavailable, match="malformed"):
            await storage.pop("default", ME)
        await storage.aclose()

    asyncio.run(run())


def test_a_deleted_file_is_told_to_callers_and_waiters_and_made_anew(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            waiting = asyncio.create_task(storage.pop("other", ME))
            await storage.push(NewJobInfo("job"))
            for file in path.parent.iterdir():
                file.unlink()
            with pytest.raises(StorageUnavailable, match="deleted or replaced"):
                await storage.push(NewJobInfo("job"))
            with pytest.raises(StorageUnavailable, match="deleted or replaced"):
                await waiting

            job_id = await storage.push(NewJobInfo("job"))
            assert job_id == (await storage.pop("default", ME)).id

    asyncio.run(run())


def test_a_missing_folder_is_told_until_it_is_there(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path.parent / "folder" / path.name) as storage:
            await storage.push(NewJobInfo("job"))

    with pytest.raises(StorageUnavailable, match="unable to open"):
        asyncio.run(run())
    (path.parent / "folder").mkdir()
    asyncio.run(run())


def test_a_lock_that_others_hold_too_long_is_told_and_a_short_one_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with monkeypatch.context() as patch:
                    patch.setattr(database, "PATIENCE", 0.05)
                    with pytest.raises(StorageUnavailable, match="held its lock"):
                        await storage.push(NewJobInfo("job"))
                pushing = asyncio.create_task(storage.push(NewJobInfo("job")))
                await asyncio.sleep(0.05)
                assert not pushing.done()
                other.execute("COMMIT")
            assert isinstance(await pushing, UUID)
            assert 1 == (await storage.stats()).jobs

    asyncio.run(run())


def test_a_newer_schema_and_the_database_of_another_program_are_refused(path: Path) -> None:
    async def push() -> None:
        async with SqliteStorage(path) as storage:
            await storage.push(NewJobInfo("job"))

    asyncio.run(push())
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 1000")
    with pytest.raises(StorageUnavailable, match="version 1000 of the schema"):
        asyncio.run(push())

    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE another (one)")
    with pytest.raises(StorageUnavailable, match="another program"):
        asyncio.run(push())


def test_without_migration_a_missing_schema_is_refused_and_the_command_named(path: Path) -> None:
    async def push(*, migrate: bool) -> None:
        async with SqliteStorage(path, migrate=migrate) as storage:
            await storage.push(NewJobInfo("job"))

    with pytest.raises(StorageUnavailable, match="jobcore migrate sqlite:///"):
        asyncio.run(push(migrate=False))
    asyncio.run(push(migrate=True))
    asyncio.run(push(migrate=False))


def test_an_old_library_is_refused_in_plain_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))

    async def push() -> None:
        await SqliteStorage(path).push(NewJobInfo("job"))

    with pytest.raises(StorageUnavailable, match=r"SQLite 3\.37\.0 or later"):
        asyncio.run(push())


@pytest.mark.usefixtures("small_disk")
def test_a_waiter_beside_a_call_that_finds_no_room_is_still_served(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            for _ in range(20):
                job_id = await storage.push(NewJobInfo("small"))
                pop, push = await asyncio.gather(
                    storage.pop("default", ME),
                    storage.push(NewJobInfo("huge", "x" * PAGES * 5_000)),
                    return_exceptions=True,
                )
                assert isinstance(push, StorageUnavailable)
                assert not isinstance(pop, BaseException)
                assert job_id == pop.id
                assert await storage.complete(pop.returned(JobResult.SUCCESS, ME))

    asyncio.run(run())
