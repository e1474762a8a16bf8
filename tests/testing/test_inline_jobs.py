"""`InlineJobs`: jobs run when the test says so, by a real worker, on virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jobcore import App, JobContext, Linear, MemoryStorage
from jobcore.testing import InlineJobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

DAY = timedelta(days=1)


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_nothing_runs_before_run() -> None:
    app, ran = App("memory://"), list[int]()

    @app.job
    async def work(number: int) -> None:
        ran.append(number)

    async def scenario() -> None:
        async with InlineJobs(app) as jobs:
            await work.push(1)
            await work.push_many([(2,), {"number": 3}])
            work.push_nowait(4)
            assert [] == ran
            assert [1, 2, 3, 4] == [new.args["number"] for new in jobs.pushed(work)]
            await jobs.run()
            assert [1, 2, 3, 4] == ran == [event.job.args["number"] for event in jobs.succeeded]

    play(scenario)


def test_what_a_job_pushes_runs_too_whatever_its_queue() -> None:
    app, ran = App("memory://"), list[str]()

    @app.job(queue="second")
    def child() -> None:
        ran.append("child")

    @app.job
    async def parent() -> None:
        ran.append("parent")
        await child.push()
        await child.options(queue="third").push()

    async def scenario() -> None:
        async with InlineJobs(app) as jobs:
            await parent.push()
            await jobs.run()
            assert ["parent", "child", "child"] == ran
            assert ["second", "third"] == [new.queue for new in jobs.pushed("child")]
            assert 3 == len(jobs.pushed())

    play(scenario)


def test_retries_come_when_time_passes() -> None:
    app, moments = App("memory://"), list[float]()

    @app.job(max_retries=2, backoff=Linear(60))
    def fails() -> None:
        moments.append(jobs.clock.monotonic_ns() / 1e9 - start)
        raise ValueError("again")

    jobs = InlineJobs(app)
    start = jobs.clock.monotonic_ns() / 1e9

    async def scenario() -> None:
        async with jobs:
            await fails.push()
            await jobs.run()
            assert [0] == moments
            await jobs.advance(59)
            assert [0] == moments
            await jobs.advance(1)
            assert [0, 60] == moments
            assert [] == jobs.dead
            await jobs.advance(DAY)
            assert [0, 60, 120] == moments
            assert 2 == len(jobs.failed)
            assert ["ValueError: again"] == [event.error for event in jobs.dead]
            assert DAY.total_seconds() + 60 == jobs.clock.monotonic_ns() / 1e9 - start

    play(scenario)


def test_a_snooze_and_a_schedule_keep_their_time() -> None:
    app, seen = App("memory://"), list[tuple[int, int]]()

    @app.job
    async def snoozes(ctx: JobContext) -> None:
        seen.append((ctx.job.delivery_count, ctx.job.retry_count))
        if ctx.job.delivery_count == 1:
            ctx.snooze(timedelta(hours=1))

    async def scenario() -> None:
        async with InlineJobs(app) as jobs:
            await snoozes.options(after=timedelta(hours=1)).push()
            await jobs.run()
            assert [] == seen
            await jobs.advance(timedelta(hours=1))
            assert [(1, 0)] == seen
            await jobs.advance(timedelta(hours=1))
            assert [(1, 0), (2, 0)] == seen

    play(scenario)


def test_middleware_and_lifespan_are_at_work() -> None:
    words = list[Any]()

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncIterator[str]:
        words.append("up")
        yield "state"
        words.append("down")

    app = App("memory://", lifespan=lifespan)

    @app.middleware
    async def around(ctx: JobContext, call_next: Any) -> Any:
        words.append(ctx.state)
        return await call_next(ctx)

    @app.job
    async def work() -> None:
        words.append("work")

    async def scenario() -> None:
        async with InlineJobs(app) as jobs:
            await work.push()
            await jobs.run()

    play(scenario)
    assert ["up", "state", "work", "down"] == words


def test_the_app_is_as_before_afterwards() -> None:
    storage = MemoryStorage()
    app = App(storage)

    async def scenario() -> None:
        async with InlineJobs(app) as jobs:
            assert app.storage is jobs.storage is not storage
        assert app.storage is storage
        assert not any(app.handlers.values())

    play(scenario)


def test_jobs_that_wait_for_each_other_run_side_by_side() -> None:
    app = App("memory://")

    async def scenario() -> None:
        event = asyncio.Event()

        @app.job
        async def waits() -> None:
            await event.wait()

        @app.job
        async def wakes() -> None:
            event.set()

        async with InlineJobs(app, concurrency=2) as jobs:
            await waits.push()
            await wakes.push()
            await jobs.run()
            assert 2 == len(jobs.succeeded)

    play(scenario)
