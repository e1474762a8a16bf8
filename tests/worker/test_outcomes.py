"""What becomes of a job, whatever its function does."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import App, Linear, MemoryStorage, NewJobInfo, Worker
from jobcore.testing import FakeClock
from tests.worker.at_work import play, until, until_empty

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobcore.app import JobEvent

MODULE_OF_PROCESSES = """
import os, time
from jobcore import App, MemoryStorage

app = App(MemoryStorage())
results = []

@app.job(executor="process", timeout=1.0, max_retries=0)
def sleep_elsewhere(seconds):
    time.sleep(seconds)
    return os.getpid()

@app.middleware
async def keep(ctx, call_next):
    results.append(await call_next(ctx))
"""


def fail() -> None:
    raise ConnectionError("the mail server is down")


async def fail_async() -> None:
    fail()


async def cancel_itself() -> None:
    raise asyncio.CancelledError


async def be_cancelled() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def leave() -> None:
    sys.exit(3)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise KeyError("text")


def fail_without_words() -> None:
    raise Unspeakable


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (fail, "ConnectionError: the mail server is down"),
        (fail_async, "ConnectionError: the mail server is down"),
        (cancel_itself, "CancelledError: "),
        (be_cancelled, "CancelledError: "),
        (leave, "SystemExit: 3"),
        (fail_without_words, "Unspeakable, whose text cannot be had: KeyError"),
    ],
)
def test_whatever_a_function_raises_is_a_failure_with_its_text(
    function: Callable[[], Any], error: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, failed = App(storage), list[Any]()
        job = app.job(backoff=Linear(3600))(function)
        app.on("failed")(failed.append)
        job_id = await job.push()
        async with Worker(app):
            await until(lambda: bool(failed))
            info = storage.info_nowait(job_id)
            assert info is not None
            assert (1, error) == (info.retry_count, info.last_error)
            await job.push()  # and the worker goes on
            await until(lambda: len(failed) == 2)

    play(scene())
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("kind", ["async", "thread"])
def test_an_interrupt_is_no_failure_but_ends_the_program(kind: str) -> None:
    storage = MemoryStorage()
    app, runs = App(storage), []

    async def interrupt() -> None:
        runs.append(1)
        raise KeyboardInterrupt

    def interrupt_in_thread() -> None:
        runs.append(1)
        raise KeyboardInterrupt

    job = app.job(name="interrupt")(interrupt if kind == "async" else interrupt_in_thread)

    async def scene() -> None:
        await job.push()
        async with Worker(app):
            await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        play(scene())
    stats = storage.stats()
    assert ([1], 1, 0, 0) == (runs, stats.jobs, stats.failed, stats.dead)


def test_a_job_that_always_fails_runs_once_more_than_its_retries_and_is_dead() -> None:
    async def scene() -> None:
        storage, runs = MemoryStorage(), 0
        app, events = App(storage), list[Any]()

        @app.job(max_retries=3, backoff=Linear(0))
        async def work() -> None:
            nonlocal runs
            runs += 1
            raise ValueError(runs)

        @app.on("dead")
        async def dead(event: JobEvent) -> None:
            events.append(event)

        await work.push()
        async with Worker(app):
            await until_empty(storage)
        assert 4 == runs
        assert ("work", "ValueError: 4") == (events[0].job.name, events[0].error)
        assert isinstance(events[0].exception, ValueError)

    play(scene())


@pytest.mark.parametrize("kind", ["async", "thread"])
def test_a_function_that_takes_longer_than_its_timeout_has_failed(kind: str) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, dead = App(storage), list[Any]()

        if kind == "async":

            @app.job(name="slow", timeout=0.05, max_retries=0)
            async def slow() -> None:
                await asyncio.sleep(3600)

        else:

            @app.job(name="slow", timeout=timedelta(seconds=0.05), max_retries=0)
            def slow_in_thread() -> None:
                time.sleep(0.1)

        app.on("dead")(dead.append)
        await app.jobs["slow"].push()
        async with Worker(app):
            await until_empty(storage)
        assert dead[0].error.startswith("TimeoutError: it took more than 0.05 s")

    play(scene())


def test_a_timeout_of_the_functions_own_is_a_failure_like_any_other() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, dead = App(storage), list[Any]()

        @app.job(timeout=60, max_retries=0)
        async def work() -> None:
            raise TimeoutError("no answer")

        app.on("dead")(dead.append)
        await work.push()
        async with Worker(app):
            await until_empty(storage)
        assert "TimeoutError: no answer" == dead[0].error

    play(scene())


def test_a_function_in_a_process_is_killed_at_its_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anyio")
    (tmp_path / "of_processes.py").write_text(MODULE_OF_PROCESSES)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("of_processes")

    async def scene() -> None:
        app, dead = module.app, list[Any]()
        app.on("dead")(dead.append)
        async with Worker(app):
            await module.sleep_elsewhere.push(0)
            await until_empty(app.storage)
            assert not dead
            await module.sleep_elsewhere.push(3600)
            await until_empty(app.storage)
        assert "TimeoutError: it took more than 1 s" == dead[0].error
        assert [True] == [process != os.getpid() for process in module.results]

    play(scene())


def test_an_unknown_job_comes_back_later_each_time_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        clock = FakeClock()
        storage = MemoryStorage(clock=clock, timer=clock)
        app = App(storage)

        @app.job
        async def known() -> None: ...

        job_id = await storage.push(NewJobInfo("unknown", max_retries=0))
        async with Worker(app):
            pauses = []
            for delivery in range(1, 12):
                await until(lambda: storage.stats().returned == delivery)  # noqa: B023
                info = storage.info_nowait(job_id)
                assert info is not None
                assert (0, delivery) == (info.retry_count, info.delivery_count)
                pause = (info.next_queue - clock.now()).total_seconds()
                pauses.append(pause)
                await clock.advance(pause)
        assert [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] == pauses

    play(scene())
    assert "'unknown'" in caplog.text
    assert "known" in caplog.text


def test_a_job_that_lost_too_many_runners_is_dead_before_it_runs() -> None:
    async def scene() -> None:
        clock = FakeClock()
        storage = MemoryStorage(clock=clock, timer=clock)
        app, runs, dead = App(storage), [], list[Any]()

        @app.job
        async def deadly() -> None:
            runs.append(1)

        app.on("dead")(dead.append)
        await deadly.push()
        for _ in range(4):
            assert storage.pop_nowait("default", Worker(app).runner_id) is not None
            clock.skip(26)
        async with Worker(app, max_lost=3):
            await until_empty(storage)
        assert ([], 4) == (runs, dead[0].job.lost_count)

    play(scene())


def test_the_traceback_of_a_failure_is_logged_and_success_is_not_news(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job
        async def good() -> None: ...

        app.job(max_retries=0)(fail_async)
        await good.push()
        await app.jobs["fail_async"].push()
        async with Worker(app):
            await until_empty(storage)

    with caplog.at_level(logging.WARNING):
        play(scene())
    record = next(record for record in caplog.records if record.exc_info)
    assert (logging.ERROR, True) == (record.levelno, "fail_async" in record.getMessage())
    assert "good" not in caplog.text


def test_a_plain_wrapper_around_an_async_function_is_awaited() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, done = App(storage), []

        async def inner() -> None:
            await asyncio.sleep(0)
            done.append(1)

        @app.job
        def wrapped() -> Any:
            return inner()

        await wrapped.push()
        async with Worker(app):
            await until_empty(storage)
        assert [1] == done

    play(scene())
