"""A worker stops without losing anything: what runs may end, what cannot end in time goes back at once."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest

from jobcore import App, MemoryStorage, StorageClosed, StorageUnavailable, Worker
from tests.worker.at_work import GUARD, CountingStorage, play, until, until_empty

BEAT = timedelta(seconds=0.2)


def test_what_runs_has_its_grace() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, gate = App(storage), asyncio.Event()

        @app.job
        async def work() -> None:
            await gate.wait()

        for _ in range(10):
            await work.push()
        async with Worker(app, {"default": 4}):
            await until(lambda: storage.stats().running == 4)
            asyncio.get_running_loop().call_later(0.05, gate.set)
        stats = storage.stats()
        assert (4, 6, 0) == (stats.completed, stats.jobs, stats.running)

    play(scene())


def test_what_runs_longer_than_its_grace_goes_back_unexecuted() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job
        async def work() -> None:
            await asyncio.Event().wait()

        ids = [await work.push() for _ in range(1000)]
        async with Worker(app, {"default": 1000}, grace=0):
            await until(lambda: storage.stats().running == 1000)
        stats = storage.stats()
        assert (0, 1000, 0) == (stats.running, stats.returned, stats.failed)
        info = storage.info_nowait(ids[0])
        assert info is not None
        assert (0, None) == (info.retry_count, info.last_error)

    play(scene())


def test_what_was_popped_and_had_not_begun_goes_back() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job
        async def stop_the_worker() -> None:
            worker.stop()

        for _ in range(10):
            await stop_the_worker.push()
        worker = Worker(app, {"default": 10})
        await worker.run(signals=False)
        stats = storage.stats()
        assert (0, 10) == (stats.running, stats.completed + stats.returned)

    play(scene())


def test_a_function_that_ends_well_although_it_was_cancelled_is_done() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job
        async def work() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0.01)

        await work.push()
        async with Worker(app, grace=0):
            await until(lambda: storage.stats().running == 1)
        assert 1 == storage.stats().completed

    play(scene())


def test_what_sits_in_a_thread_past_the_grace_is_left_to_its_lease() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, release = App(storage), threading.Event()

        @app.job
        def hang() -> None:
            release.wait()

        await hang.push()
        try:
            async with Worker(app, grace=0):
                await until(lambda: storage.stats().running == 1)
            stats = storage.stats()
            assert (1, 0) == (stats.running, stats.returned)
        finally:
            release.set()

    play(scene())


def test_what_a_thread_raises_past_the_grace_troubles_nobody() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, release, complaints = App(storage), threading.Event(), list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda _loop, told: complaints.append(told["message"]))

        @app.job
        def fail_late() -> None:
            release.wait()
            raise OSError("nobody waits for it")

        await fail_late.push()
        others = set(threading.enumerate())
        try:
            async with Worker(app, grace=0):
                await until(lambda: storage.stats().running == 1)
                await until(lambda: any(thread.name.startswith("jobcore job") for thread in threads_but(others)))
        finally:
            release.set()
        await until(lambda: not threads_but(others))
        await asyncio.sleep(0)
        gc.collect()
        assert [] == complaints

    def threads_but(others: set[threading.Thread]) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread not in others and "job_" in thread.name]

    play(scene())


def test_a_worker_that_is_cancelled_hands_back_what_it_runs() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job
        async def work() -> None:
            await asyncio.Event().wait()

        await work.push()
        task = asyncio.create_task(Worker(app).run(signals=False))
        await until(lambda: storage.stats().running == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (0, 1) == (storage.stats().running, storage.stats().returned)

    play(scene())


def test_a_second_stop_does_not_wait() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job
        async def work() -> None:
            await asyncio.Event().wait()

        await work.push()
        worker = Worker(app, grace=3600)
        running = asyncio.create_task(worker.run(signals=False))
        await until(lambda: storage.stats().running == 1)
        worker.stop()
        await asyncio.sleep(0)
        assert not running.done()
        worker.stop()
        await running
        assert (0, 1) == (storage.stats().running, storage.stats().returned)

    play(scene())


@pytest.mark.skipif(sys.platform == "win32", reason="there, no signal comes to one's own process alone")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_and_the_handlers_of_before_are_put_back(number: signal.Signals) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job
        async def work() -> None:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()

        before = signal.getsignal(number)
        await work.push()
        await Worker(app, grace=0).run()
        assert signal.getsignal(number) is before
        assert (0, 1) == (storage.stats().running, storage.stats().returned)

    play(scene())


def test_a_storage_that_is_closed_ends_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        task = asyncio.create_task(Worker(App(storage), {"one": 1, "two": 1}).run(signals=False))
        for _ in range(10):
            await asyncio.sleep(0)
        await storage.aclose()
        with pytest.raises(StorageClosed):
            await task

    play(scene())
    assert 1 == caplog.text.count("the worker stops"), "however many queues it has"


def test_what_ends_after_its_storage_was_closed_is_not_completed_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        storage = CountingStorage()
        app, succeeded = App(storage), list[Any]()

        @app.job(heartbeat_interval=timedelta(milliseconds=20))
        async def work() -> None:
            await storage.aclose()
            beats = storage.beats
            await until(lambda: storage.beats > beats + 1)

        app.on("succeeded")(succeeded.append)
        await work.push()
        with pytest.raises(StorageClosed):
            await Worker(app).run(signals=False)
        assert [] == succeeded

    play(scene())
    assert "the storage was closed before 1 jobs were completed" in caplog.text
    assert "could not renew" not in caplog.text


@pytest.mark.parametrize("fails", [False, True], ids=["answers", "fails"])
def test_a_pop_that_ends_otherwise_than_cancelled_begins_nothing_any_more(*, fails: bool) -> None:
    class Stubborn(MemoryStorage):
        pops = 0

        async def pop_many(self, queue: str, runner_id: Any, limit: int) -> Any:
            self.pops += 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if fails:
                    raise StorageUnavailable("the server went away") from None
            return await super().pop_many(queue, runner_id, limit)

    async def scene() -> None:
        storage, runs = Stubborn(), []
        app = App(storage)

        @app.job
        async def work() -> None:
            runs.append(1)

        await work.push_many([(), (), ()])
        async with Worker(app):
            await until(lambda: storage.pops == 1)
        stats = storage.stats()
        assert ([], 1, 3, 0) == (runs, storage.pops, stats.jobs, stats.running)
        assert stats.returned == (0 if fails else 3)

    play(scene())


def test_a_function_that_does_not_end_is_left_to_its_lease(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, release, others = App(storage), asyncio.Event(), asyncio.all_tasks()

        @app.job
        async def resist() -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

        await resist.push()
        async with Worker(app, grace=0):
            await until(lambda: storage.stats().running == 1)
        assert (1, 0, 0) == (storage.stats().running, storage.stats().completed, storage.stats().returned)
        release.set()
        await until(lambda: asyncio.all_tasks() == others)

    play(scene())
    assert "1 jobs do not end; they are left to their leases" in caplog.text


def test_a_worker_is_at_work_once_at_a_time() -> None:
    async def scene() -> None:
        worker = Worker(App(MemoryStorage()))
        async with worker:
            with pytest.raises(RuntimeError, match="at work already"):
                await worker.run(signals=False)

    play(scene())


def test_a_worker_works_in_any_thread_though_signals_come_to_one_only() -> None:
    storage = MemoryStorage()
    app, done = App(storage), []

    @app.job
    async def work() -> None:
        done.append(threading.current_thread())
        worker.stop()

    worker = Worker(app)
    storage.push_nowait(work.new())
    thread = threading.Thread(target=lambda: asyncio.run(worker.run()), daemon=True)
    thread.start()
    thread.join(GUARD)
    assert [thread] == done
    assert not thread.is_alive()


def test_leases_are_kept_during_the_grace() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job(heartbeat_interval=timedelta(milliseconds=20))
        async def work() -> None:
            await asyncio.sleep(0.5)

        await work.push()
        async with Worker(app):
            await until(lambda: storage.stats().running == 1)
        assert (1, 0) == (storage.stats().completed, storage.stats().reclaimed)

    play(scene())


def test_workers_that_come_and_go_lose_no_job() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, done = App(storage), []

        @app.job(heartbeat_interval=BEAT)
        async def work(number: int) -> None:
            await asyncio.sleep(0.002)
            done.append(number)

        numbers = list(range(2000))
        for number in numbers:
            await work.push(number)
        for _ in range(20):
            async with Worker(app, {"default": 100}, grace=0):
                await asyncio.sleep(0.01)
            assert 0 == storage.stats().running
        async with Worker(app, {"default": 100}):
            await until_empty(storage)
        assert numbers == sorted(done)

    play(scene())
