"""What the tests of the suite stand on: how a storage is opened, and the `Stage` on which each of them plays.

Two rules keep the tests honest on every storage. That *nothing* can be popped is never shown by a pause in which
nothing happened: a job of the lowest priority is pushed, and the pop must bring that one (`poppable`). And that
something happens is awaited under a guard of real time (`soon`), so that a lost wake-up fails and does not hang.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import pytest

from jobcore.errors import LeaseLost, NotAStorage
from jobcore.jobs import JobInfo, JobResult, NewJobInfo, ReturnJobInfo
from jobcore.storage import Storage, missing_methods, takes_batches
from jobcore.testing._clock import FakeClock, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from jobcore.storage import BatchStorage

T = TypeVar("T")

ALICE = UUID("a11ce000-0000-4000-8000-000000000000")
BOB = UUID("b0b00000-0000-4000-8000-000000000000")
CAROL = UUID("ca401000-0000-4000-8000-000000000000")
NOBODY = UUID("00b0d400-0000-4000-8000-000000000000")

MICROSECOND = 0.000_001
HEARTBEAT = 0.2
LEASE = 5 * HEARTBEAT

SENTINEL = "(the last job of the queue)"
LOWEST_PRIORITY = -32768


class Conformance(ABC):
    """How the suite opens a storage, and what it may expect of it."""

    leases_are_monotonic: bool = True
    """Leases run on the monotonic clock: a jump of the wall clock does not touch them."""
    polls_while_idle: bool = False
    """A waiting pop uses its timer even though nothing is scheduled or leased."""
    wake_latency: float = 0.001
    """Seconds (virtual ones, where the storage takes a timer) after which a pop has noticed what came due."""
    cancelled_turns: int = 20
    """A pop is cancelled after 0, 1, 2, ... turns of the loop, up to so many; more than a pop ever takes."""
    guard: float = 30.0
    """Real seconds after which whatever is awaited counts as lost."""

    @abstractmethod
    def open_storage(self, clock: FakeClock) -> AbstractAsyncContextManager[Any]:
        """A new, empty storage on this clock, as an async context manager that gives the `Storage`."""

    async def pass_time(self, clock: FakeClock, seconds: float) -> None:
        """Let so many seconds pass, for the storage and for those who wait on it."""
        await clock.advance(seconds)

    async def settle(self) -> None:
        """Let those who wait get as far as they can; a storage with threads or a server may need a short sleep."""
        await settle()

    def new_loop(self, clock: FakeClock) -> asyncio.AbstractEventLoop:  # noqa: ARG002  (a loop may run by the clock)
        """The event loop of a test; for example another library's."""
        return asyncio.new_event_loop()

    def play(self, scene: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
        """Run a test on a new storage."""

        async def run() -> None:
            async with asyncio.timeout(4 * self.guard), self.open_storage(clock) as storage:
                await scene(Stage(self, storage, clock))

        clock = FakeClock()
        with asyncio.Runner(loop_factory=lambda: self.new_loop(clock)) as runner:
            runner.run(run())


def scenario(scene: Callable[[Any, Stage], Coroutine[Any, Any, None]]) -> Callable[[Any], None]:
    """Make a plain test method of a coroutine method that plays on a `Stage`."""

    def test(self: Conformance) -> None:
        self.play(lambda stage: scene(self, stage))

    # Not functools.wraps: pytest would look through it and take the stage for a fixture.
    test.__name__ = scene.__name__
    test.__qualname__ = scene.__qualname__
    test.__module__ = scene.__module__
    test.__doc__ = scene.__doc__
    return test


class Stage:
    """One storage, its clock, and the few moves that the tests are made of; all on one queue unless they say so."""

    queue = "queue"

    def __init__(self, suite: Conformance, storage: Storage, clock: FakeClock) -> None:
        if missing := missing_methods(storage, Storage):
            raise NotAStorage(storage, missing)
        self.suite = suite
        self.storage = storage
        self.clock = clock

    @property
    def batches(self) -> BatchStorage:
        """The storage, where it takes batches; the test is skipped where it does not."""
        if not takes_batches(self.storage):
            pytest.skip("this storage takes no batches")
        return self.storage

    def new(self, name: str = "job", args: Any = None, **options: Any) -> NewJobInfo:
        """A job for the queue of this stage."""
        options.setdefault("queue", self.queue)
        options.setdefault("heartbeat_interval", timedelta(seconds=HEARTBEAT))
        return NewJobInfo(name, args, **options)

    async def push(self, name: str = "job", args: Any = None, **options: Any) -> UUID:
        """Push a new job."""
        return await self.soon(self.storage.push(self.new(name, args, **options)))

    async def pop(self, runner: UUID = ALICE, queue: str | None = None) -> JobInfo:
        """Pop a job that must be there."""
        return await self.soon(self.storage.pop(self.queue if queue is None else queue, runner))

    async def popped(self, name: str = "job", args: Any = None, *, runner: UUID = ALICE, **options: Any) -> JobInfo:
        """Push a new job and pop it."""
        job_id = await self.push(name, args, **options)
        job = await self.pop(runner, options.get("queue"))
        assert job_id == job.id
        return job

    async def poppable(self, queue: str | None = None) -> list[str]:
        """Pop everything that can be popped right now; the names in their order."""
        names: list[str] = []
        last = await self.push(SENTINEL, queue=self.queue if queue is None else queue, priority=LOWEST_PRIORITY)
        while (job := await self.pop(CAROL, queue)).id != last:
            names.append(job.name)
        assert await self.complete(job, JobResult.SUCCESS, CAROL)
        return names

    async def complete(self, job: JobInfo, result: JobResult, runner: UUID | None = ALICE, **more: Any) -> bool:
        """Hand a popped job back."""
        return await self.soon(self.storage.complete(job.returned(result, runner, **more)))

    async def discard(self, job: JobInfo) -> None:
        """Remove a job, whoever holds it."""
        assert await self.soon(self.storage.complete(ReturnJobInfo(job.id, JobResult.DEAD)))

    async def beat(self, job: JobInfo, runner: UUID = ALICE) -> None:
        """Renew the lease of a popped job."""
        await self.soon(self.storage.heartbeat(job.id, runner, job.delivery_count))

    async def refused_to(self, job: JobInfo, runner: UUID, delivery: int | None = None) -> None:
        """Neither a heartbeat nor a complete of this runner is accepted, and neither changes anything."""
        before = await self.known(job.id)
        with pytest.raises(LeaseLost) as caught:
            await self.soon(self.storage.heartbeat(job.id, runner, delivery))
        assert job.id == caught.value.job_id
        for result in JobResult:
            with pytest.raises(LeaseLost) as caught:
                await self.soon(self.storage.complete(ReturnJobInfo(job.id, result, runner, delivery)))
            assert job.id == caught.value.job_id
        assert before == await self.known(job.id)

    async def known(self, job_id: UUID) -> JobInfo:
        """The job as the storage knows it."""
        info = await self.soon(self.storage.info(job_id))
        assert info is not None
        return info

    async def forgotten(self, job_id: UUID) -> bool:
        """Whether the storage knows no such job."""
        return await self.soon(self.storage.info(job_id)) is None

    async def waiting(self, runner: UUID = ALICE, queue: str | None = None) -> asyncio.Task[JobInfo]:
        """A pop that waits."""
        task = asyncio.create_task(self.storage.pop(self.queue if queue is None else queue, runner))
        await self.settle()
        assert not task.done()
        return task

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        await self.suite.pass_time(self.clock, seconds)

    async def settle(self) -> None:
        """Let happen what can happen without time passing."""
        await self.suite.settle()

    async def soon(self, awaitable: Awaitable[T]) -> T:
        """The result, which must not take long."""
        async with asyncio.timeout(self.suite.guard):
            return await awaitable

    async def cancel(self, *tasks: asyncio.Task[Any]) -> None:
        """Cancel pops that wait."""
        for task in tasks:
            task.cancel()
        await self.soon(asyncio.wait(tasks))
