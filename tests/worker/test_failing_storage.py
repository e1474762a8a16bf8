"""A storage that fails does not end the worker, and nothing that was done gets lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobcore import App, MemoryStorage, StorageUnavailable, Worker
from jobcore.worker._completing import MOST_PENDING
from tests.worker.at_work import play, until, until_empty

if TYPE_CHECKING:
    import pytest


class Failing(MemoryStorage):
    """Every verb of a worker fails the first few times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = {"pop": times, "complete": times}
        self.answers = asyncio.Event()
        self.answers.set()

    def fail(self, verb: str) -> None:
        if self.left[verb]:
            self.left[verb] -= 1
            raise StorageUnavailable("the server went away") from ConnectionResetError()

    async def pop_many(self, queue: str, runner_id: Any, limit: int) -> Any:
        self.fail("pop")
        return await super().pop_many(queue, runner_id, limit)

    async def complete_many(self, returned: Any) -> Any:
        self.fail("complete")
        await self.answers.wait()
        return await super().complete_many(returned)


def test_a_storage_that_was_away_is_used_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        storage = Failing(times=2)
        app, done = App(storage), []

        @app.job
        async def work() -> None:
            done.append(1)

        for _ in range(20):
            await work.push()
        async with Worker(app):
            await until_empty(storage)
        assert (20, 20) == (len(done), storage.stats().completed), "each ran once, and was completed"

    play(scene())
    assert 2 == caplog.text.count("could not pop from queue default")
    assert 2 == caplog.text.count("could not complete")


def test_a_worker_that_cannot_complete_takes_no_more_than_it_can_keep() -> None:
    async def scene() -> None:
        storage = Failing(times=0)
        app, done = App(storage), []

        @app.job
        async def work() -> None:
            done.append(1)

        await storage.push_many([work.new() for _ in range(3000)])
        storage.answers.clear()
        async with Worker(app, {"default": 10}):
            await until(lambda: storage.stats().running > MOST_PENDING)
            for _ in range(100):
                await asyncio.sleep(0)
            assert storage.stats().running < 2 * MOST_PENDING
            storage.answers.set()
            await until_empty(storage)
        assert 3000 == len(done)

    play(scene())


def test_what_cannot_be_handed_back_when_the_worker_stops_is_left_to_its_lease(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        storage = Failing(times=0)
        storage.left["complete"] = 1_000_000
        app, done = App(storage), []

        @app.job
        async def work() -> None:
            done.append(1)

        await work.push_many([(), ()])
        async with Worker(app):
            await until(lambda: len(done) == 2)
        assert (2, 0) == (storage.stats().running, storage.stats().completed)

    play(scene())
    assert "2 jobs could not be handed back; their leases will run out" in caplog.text
