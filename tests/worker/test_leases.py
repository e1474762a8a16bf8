"""A worker keeps the leases of what it runs, whatever its functions do, and stops what it has lost."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from jobcore import App, JobContext, MemoryStorage, NewJobInfo, Worker
from jobcore.testing import FakeClock, settle
from jobcore.worker._execution import Execution
from jobcore.worker._leases import LeaseKeeper
from tests.worker.at_work import CountingStorage, play, until, until_empty
from tests.worker.test_concurrency import FiveVerbs

if TYPE_CHECKING:
    from jobcore.app._events import EventKind

BEAT = timedelta(seconds=0.04)
LEASE = 5 * BEAT.total_seconds()
BATCHES = pytest.mark.parametrize("batches", [True, False], ids=["batches", "one by one"])


async def never_popped_meanwhile(storage: MemoryStorage, done: threading.Event) -> int:
    """How many jobs somebody else gets hold of, trying on another thread until `done`."""

    def try_to_pop() -> int:
        taken = 0
        while not done.wait(0.002):
            taken += storage.pop_nowait("default", uuid4()) is not None
        return taken

    return await asyncio.to_thread(try_to_pop)


def hear_the_end(app: App, told: list[str]) -> None:
    """Note what becomes of each job."""
    kinds: tuple[EventKind, ...] = ("succeeded", "failed", "dead", "lease_lost")
    for kind in kinds:
        app.on(kind)(lambda event: told.append(event.kind))


@BATCHES
@pytest.mark.parametrize("kind", ["loop", "thread", "waiting", "buffered"])
def test_a_lease_is_kept_for_as_long_as_the_function_runs(kind: str, caplog: Any, *, batches: bool) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, runs = App(storage if batches else FiveVerbs(storage)), 0

        @app.job(name="async", heartbeat_interval=BEAT)
        async def run() -> None:
            nonlocal runs
            runs += 1
            if kind == "waiting":
                await asyncio.sleep(3.5 * LEASE)
            else:
                time.sleep(3.5 * LEASE)  # noqa: ASYNC251  (this is what must not cost the lease)

        @app.job(name="thread", heartbeat_interval=BEAT)
        def run_in_thread() -> None:
            nonlocal runs
            runs += 1
            time.sleep(3.5 * LEASE)

        job = app.jobs["thread" if kind == "thread" else "async"]
        jobs = 2 if kind == "buffered" else 1  # the second lies behind the first, which blocks the loop
        for _ in range(jobs):
            await job.push()
        done = threading.Event()
        async with Worker(app, {"default": jobs}):
            await until(lambda: storage.stats().running == jobs or runs > 0)
            thief = asyncio.create_task(never_popped_meanwhile(storage, done))
            await until_empty(storage)
            done.set()
            assert 0 == await thief
        assert (jobs, 0) == (runs, storage.stats().reclaimed)

    with caplog.at_level(logging.WARNING):
        play(scene())
    if kind in ("loop", "thread"):
        assert "time.sleep(3.5 * LEASE)" in caplog.text, "after one lease the log says where it hangs"
    elif kind == "waiting":
        assert "" == caplog.text


@BATCHES
@pytest.mark.parametrize("obeys", [True, False], ids=["obeys", "ends well all the same"])
def test_a_lost_lease_cancels_the_function_and_discards_its_result(
    caplog: pytest.LogCaptureFixture, *, obeys: bool, batches: bool
) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, events, told = App(storage if batches else FiveVerbs(storage)), [], list[str]()

        @app.job(heartbeat_interval=BEAT)
        async def work() -> None:
            events.append("started")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                events.append("cancelled")
                if obeys:
                    raise

        hear_the_end(app, told)
        job_id = await work.push()
        async with Worker(app, {"default": 1}):
            await until(lambda: events == ["started"])
            storage._index.remove(job_id)  # somebody else completed it
            await until(lambda: bool(told))
        assert (["started", "cancelled"], ["lease_lost"]) == (events, told)

    play(scene())
    assert "its result is discarded" in caplog.text


@BATCHES
def test_a_result_that_comes_after_the_lease_was_lost_is_discarded(
    caplog: pytest.LogCaptureFixture, *, batches: bool
) -> None:
    async def scene() -> None:
        clock = FakeClock()
        storage = MemoryStorage(clock=clock, timer=clock)
        app, told = App(storage if batches else FiveVerbs(storage)), list[str]()

        @app.job
        async def work() -> None:
            clock.skip(26)
            assert storage.pop_nowait("default", uuid4()) is not None

        hear_the_end(app, told)
        await work.push()
        async with Worker(app, {"default": 1}):
            await until(lambda: bool(told))
        assert (["lease_lost"], 1, 0) == (told, storage.stats().running, storage.stats().completed)

    play(scene())
    assert "its result is discarded" in caplog.text


def test_a_function_in_a_thread_that_lost_its_lease_counts_as_running_until_it_returns() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, told, tasks = App(storage), list[str](), list[asyncio.Task[Any]]()
        release = threading.Event()

        @app.middleware
        async def watch(ctx: JobContext, call_next: Any) -> Any:
            task = asyncio.current_task()
            assert task is not None
            tasks.append(task)
            return await call_next(ctx)

        @app.job(heartbeat_interval=BEAT)
        def work() -> None:
            release.wait()

        hear_the_end(app, told)
        job_id = await work.push()
        async with Worker(app, {"default": 1}):
            try:
                await until(lambda: bool(tasks))
                storage._index.remove(job_id)
                await until(lambda: tasks[0].cancelling() > 0)
                await work.push()
                await settle()
                assert ([], 1, 0) == (told, len(tasks), storage.stats().running), "there is no room for another one"
            finally:
                release.set()
            await until_empty(storage)
        assert ["lease_lost", "succeeded"] == told

    play(scene())


def test_a_job_that_the_worker_pops_again_stops_its_older_run_first() -> None:
    async def scene() -> None:
        clock = FakeClock()
        storage = MemoryStorage(clock=clock, timer=clock)
        app, events = App(storage), list[str]()

        @app.job
        async def work(ctx: JobContext) -> None:
            delivery = ctx.job.delivery_count
            events.append(f"{delivery} begins")
            try:
                if delivery == 1:
                    await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                events.append(f"{delivery} ends")

        await work.push()
        async with Worker(app, {"default": 2}):
            await until(lambda: events == ["1 begins"])
            await clock.advance(26)
            await until_empty(storage)
        assert ["1 begins", "1 ends", "2 begins", "2 ends"] == events

    play(scene())


def test_a_thread_past_its_timeout_no_longer_keeps_its_lease() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, release = App(storage), threading.Event()

        @app.job(heartbeat_interval=BEAT, timeout=0.05)
        def hang() -> None:
            release.wait()

        job_id = await hang.push()
        async with Worker(app, {"default": 1}):
            await until(lambda: storage.stats().running == 1)
            await until(lambda: storage.pop_nowait("default", uuid4()) is not None)
            release.set()
        info = storage.info_nowait(job_id)
        assert info is not None
        assert (2, 0) == (info.delivery_count, info.retry_count), "the late result was refused"

    play(scene())


def test_a_storage_that_fails_to_renew_is_asked_again_at_the_next_beat(caplog: pytest.LogCaptureFixture) -> None:
    class Flaky(MemoryStorage):
        beats = 0

        async def heartbeat_many(self, held: Any, runner_id: Any) -> Any:
            self.beats += 1
            if self.beats % 2:
                raise ConnectionError("no answer")
            return await super().heartbeat_many(held, runner_id)

    async def scene() -> None:
        storage = Flaky()
        app = App(storage)

        @app.job(heartbeat_interval=BEAT)
        async def work() -> None:
            await until(lambda: storage.beats > 10)

        await work.push()
        async with Worker(app):
            await until_empty(storage)
        assert (1, 0) == (storage.stats().completed, storage.stats().reclaimed)

    play(scene())
    assert "could not renew" in caplog.text


def test_jobs_that_end_at_once_cost_no_heartbeat() -> None:
    async def scene() -> None:
        storage = CountingStorage()
        app = App(storage)

        @app.job
        async def work() -> None: ...

        for _ in range(1000):
            await work.push()
        async with Worker(app):
            await until_empty(storage)
        assert 0 == storage.beats

    play(scene())


def test_a_loop_that_was_closed_ends_the_renewals_of_its_leases() -> None:
    storage, runner = MemoryStorage(), uuid4()

    async def scene() -> LeaseKeeper:
        await storage.push(NewJobInfo("job", heartbeat_interval=BEAT))
        keeper = LeaseKeeper(storage, runner)
        keeper.start()
        keeper.hold(Execution(await storage.pop("default", runner)))
        return keeper

    thread = asyncio.run(scene())._thread

    thread.join(10)
    assert not thread.is_alive()
