"""The helpers for tests as a type checker sees them: mypy and pyright read this file, nothing runs it."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from jobcore import App, MemoryStorage, NewJobInfo
from jobcore.app import JobEvent
from jobcore.testing import FakeClock, InlineJobs

app = App("memory://")


@app.job
async def thumbnail(source: str, width: int = 100) -> bytes:
    return source.encode() * width


async def inline(clock: FakeClock) -> None:
    async with InlineJobs(app, clock=clock, concurrency=2) as jobs:
        assert_type(jobs, InlineJobs)
        assert_type(jobs.clock, FakeClock)
        assert_type(jobs.storage, MemoryStorage)
        assert_type(jobs.pushed(), list[NewJobInfo])
        assert_type(jobs.pushed(thumbnail), list[NewJobInfo])
        assert_type(jobs.pushed("thumbnail"), list[NewJobInfo])
        await jobs.run()
        await jobs.advance(1.5)
        await jobs.advance(timedelta(hours=1))
        assert_type([*jobs.succeeded, *jobs.failed, *jobs.dead], list[JobEvent])
    jobs.pushed(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
