"""`copy` moves jobs as they are, and may be broken off at any step: no job is lost, none is in both."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from jobcore import JobResult, MemoryStorage, NewJobInfo, SqliteStorage
from jobcore.copying import copy
from jobcore.jobs import Linear

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

ME = UUID(int=1)
STEPS = ("hold", "receive", "forget", "release")


class Stop(Exception):
    pass


class Breaking:
    """A storage that passes these calls on, and breaks off before or after the one of this number."""

    def __init__(self, storage: SqliteStorage, calls: count[int], breaks_at: int, *, after: bool) -> None:
        self.calls = calls
        self.breaks_at = breaks_at
        self.after = after
        self.storage = storage

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.storage, name)
        return partial(self._broken, call) if name in STEPS else call

    async def _broken(self, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        breaks = next(self.calls) == self.breaks_at
        if breaks and not self.after:
            raise Stop
        result = await call(*args)
        if breaks:
            raise Stop
        return result


async def drained(storage: SqliteStorage) -> list[str]:
    names: list[str] = []
    await storage.push(NewJobInfo("(last)", priority=-1000))
    while (job := await storage.pop("default", ME)).name != "(last)":
        names.append(job.name)
        await storage.complete(job.returned(JobResult.SUCCESS, ME))
    await storage.complete(job.returned(JobResult.SUCCESS, ME))
    return names


def test_everything_but_the_running_goes_over_as_it_is(tmp_path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(tmp_path / "one.db") as source, SqliteStorage(tmp_path / "two.db") as target:
            await source.push(NewJobInfo("running"))
            running = await source.pop("default", ME)
            await source.push(NewJobInfo("failed", {"a": 1}, backoff=Linear(0), priority=3))
            failed = await source.pop("default", ME)
            await source.complete(failed.returned(JobResult.FAILURE, ME, error="why"))
            later = await source.push(NewJobInfo("later", next_queue=timedelta(days=1)))
            before = [await source.info(job_id) for job_id in (failed.id, later)]
            seen: list[int] = []

            assert 2 == await copy(source, target, progress=seen.append)
            assert [2] == seen
            assert before == [await target.info(job_id) for job_id in (failed.id, later)]
            assert ["failed"] == await drained(target)
            assert 1 == (await source.stats()).jobs
            assert await source.complete(running.returned(JobResult.SUCCESS, ME))
            assert 0 == await copy(source, target)

    asyncio.run(run())


@pytest.mark.parametrize("after", [False, True])
def test_a_copy_that_is_broken_off_is_finished_by_the_next(tmp_path: Path, after: bool) -> None:  # noqa: FBT001
    names = [str(number) for number in range(5)]

    async def run(breaks_at: int) -> bool:
        folder = tmp_path / str(breaks_at)
        folder.mkdir()
        async with SqliteStorage(folder / "one.db") as source, SqliteStorage(folder / "two.db") as target:
            await source.push_many([NewJobInfo(name) for name in names])
            calls = count()
            broken = [Breaking(storage, calls, breaks_at, after=after) for storage in (source, target)]
            try:
                await copy(*broken)
            except Stop:
                taken = await drained(target) + await drained(source)
                assert len(taken) == len(set(taken))
                await copy(source, target)
                assert names == taken + await drained(target)
                return True
            assert names == await drained(target)
            return False

    breaks_at = 0
    while asyncio.run(run(breaks_at)):
        breaks_at += 1
    assert breaks_at >= 6


def test_memory_is_refused_and_so_is_a_copy_onto_itself(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage, SqliteStorage(path) as same:
            for source, target in ((storage, MemoryStorage()), (MemoryStorage(), storage)):
                with pytest.raises(TypeError, match="MemoryStorage keeps no jobs"):
                    await copy(source, target)
            with pytest.raises(ValueError, match="the same"):
                await copy(storage, same)

    asyncio.run(run())
