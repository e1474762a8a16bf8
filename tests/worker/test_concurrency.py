"""How many jobs run at once, how they are taken, and that nobody has to wait for their own loop."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import App, InvalidJob, MemoryStorage, NewJobInfo, Storage, Worker
from tests.worker.at_work import play, until, until_empty

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore import JobInfo, ReturnJobInfo


class FiveVerbs:
    """A storage without batches: the protocol `Storage`, and nothing else."""

    def __init__(self, inner: MemoryStorage) -> None:
        self.inner = inner

    async def info(self, job_id: UUID) -> JobInfo | None:
        return await self.inner.info(job_id)

    async def push(self, job: NewJobInfo) -> UUID:
        return await self.inner.push(job)

    async def pop(self, queue: str, runner_id: UUID) -> JobInfo:
        return await self.inner.pop(queue, runner_id)

    async def heartbeat(self, job_id: UUID, runner_id: UUID, delivery: int | None = None) -> None:
        await self.inner.heartbeat(job_id, runner_id, delivery)

    async def complete(self, returned: ReturnJobInfo) -> bool:
        return await self.inner.complete(returned)


@pytest.mark.parametrize("batches", [True, False], ids=["batches", "one by one"])
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_as_many_jobs_run_at_once_as_was_said_and_no_more(limit: int, *, batches: bool) -> None:
    async def scene() -> None:
        inner = MemoryStorage()
        storage: Storage = inner if batches else FiveVerbs(inner)
        app, running, most, gate = App(storage), 0, 0, asyncio.Event()

        @app.job
        async def work() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1

        for _ in range(3 * limit):
            await work.push()
        async with Worker(app, {"default": limit}):
            await until(lambda: running == limit)
            for _ in range(20):
                await asyncio.sleep(0)
            assert inner.stats().running == limit
            gate.set()
            await until_empty(inner)
        assert most == limit

    play(scene())


def test_every_queue_has_a_limit_of_its_own() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, gate = App(storage), asyncio.Event()
        running = {"default": 0, "mail": 0}

        @app.job
        async def work(queue: str) -> None:
            running[queue] += 1
            await gate.wait()

        for queue in running:
            for _ in range(10):
                await work.options(queue=queue).push(queue)
        async with Worker(app, {"default": 4, "mail": 1}):
            await until(lambda: running == {"default": 4, "mail": 1})
            gate.set()
            await until_empty(storage)

    play(scene())


def test_without_queues_a_worker_takes_those_that_the_jobs_name() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, done = App(storage), []

        @app.job(queue="one")
        async def first() -> None:
            done.append(1)

        @app.job(queue="two")
        async def second() -> None:
            done.append(2)

        await first.push()
        await second.push()
        async with Worker(app):
            await until_empty(storage)
        assert sorted(done) == [1, 2]

    play(scene())


@pytest.mark.parametrize("queues", [{}, {"default": 0}, {"default": True}, {"default": "8"}, {"": 1}, ["default"], 5])
def test_queues_that_make_no_sense_are_refused(queues: Any) -> None:
    async def scene() -> None:
        with pytest.raises(InvalidJob):
            Worker(App(MemoryStorage()), queues)

    play(scene())


def test_jobs_that_never_wait_leave_the_loop_to_others() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, others_turns = App(storage), []

        @app.job
        async def again() -> None:
            await again.push()

        for _ in range(100):
            await again.push()
        async with Worker(app, {"default": 8}):
            for turn in range(50):
                others_turns.append(turn)
                await asyncio.sleep(0)
        assert len(others_turns) == 50

    play(scene())


def test_a_job_that_waits_holds_up_none_that_lie_behind_it() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, gate, passed = App(storage), asyncio.Event(), []

        @app.job
        async def wait() -> None:
            await gate.wait()

        @app.job
        async def quick(number: int) -> None:
            passed.append(number)

        await wait.push()
        for number in range(10):
            await quick.push(number)
        async with Worker(app, {"default": 2}):
            await until(lambda: len(passed) == 10)
            assert passed == list(range(10))
            gate.set()
            await until_empty(storage)

    play(scene())


def test_context_variables_of_one_job_do_not_reach_the_next() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="clean")

    async def scene() -> None:
        storage = MemoryStorage()
        app, seen = App(storage), []

        @app.job
        async def leave_a_trace() -> None:
            seen.append(variable.get())
            variable.set("dirty")

        for _ in range(20):
            await leave_a_trace.push()
        async with Worker(app, {"default": 3}):
            await until_empty(storage)
        assert seen == 20 * ["clean"]

    play(scene())


def test_a_worker_can_work_again_after_it_stopped() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, done = App(storage), []

        @app.job
        async def work() -> None:
            done.append(1)

        worker = Worker(app)
        for _ in range(3):
            await work.push()
            async with worker:
                await until_empty(storage)
        assert len(done) == 3

    play(scene())
