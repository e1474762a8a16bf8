"""Closing: a closed storage takes no calls, and nobody goes on waiting for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jobcore.errors import StorageClosed
from jobcore.jobs import JobResult, ReturnJobInfo
from jobcore.storage import takes_batches
from jobcore.testing._conformance._base import ALICE, BOB, NOBODY, Conformance, Stage, scenario

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine


def calls(stage: Stage) -> list[Callable[[], Coroutine[Any, Any, Any]]]:
    """Every call of a storage."""
    storage: Any = stage.storage
    new, returned = stage.new(), ReturnJobInfo(NOBODY, JobResult.SUCCESS)
    single = [
        lambda: storage.push(new),
        lambda: storage.pop(stage.queue, ALICE),
        lambda: storage.info(NOBODY),
        lambda: storage.heartbeat(NOBODY, ALICE),
        lambda: storage.complete(returned),
    ]
    batches = [
        lambda: storage.push_many([new]),
        lambda: storage.push_many([]),
        lambda: storage.pop_many(stage.queue, ALICE, 1),
        lambda: storage.heartbeat_many([], ALICE),
        lambda: storage.complete_many([returned]),
        lambda: storage.complete_many([]),
    ]
    return [*single, *batches] if takes_batches(storage) else single


class Closing(Conformance):
    """`aclose`, the context manager, and a fork."""

    @scenario
    async def test_a_storage_is_a_context_manager_that_gives_itself(self, stage: Stage) -> None:
        storage: Any
        async with self.open_storage(stage.clock) as storage:
            job_id = await stage.soon(storage.push(stage.new()))
            assert job_id == (await stage.soon(storage.pop(stage.queue, ALICE))).id

        with pytest.raises(StorageClosed):
            await stage.soon(storage.push(stage.new()))

    @scenario
    async def test_a_closed_storage_refuses_every_call(self, stage: Stage) -> None:
        storage: Any = stage.storage
        await stage.push()
        await stage.soon(storage.aclose())

        for call in calls(stage):
            with pytest.raises(StorageClosed):
                await stage.soon(call())

    @scenario
    async def test_a_storage_may_be_closed_twice(self, stage: Stage) -> None:
        storage: Any = stage.storage
        both: list[Awaitable[None]] = [storage.aclose(), storage.aclose()]
        await stage.soon(asyncio.gather(*both))
        await stage.soon(storage.aclose())

    @scenario
    async def test_closing_wakes_every_waiter(self, stage: Stage) -> None:
        storage: Any = stage.storage
        await stage.push("later", next_queue=timedelta(hours=1))
        waiting: list[asyncio.Task[Any]] = [await stage.waiting(runner) for runner in (ALICE, BOB, ALICE)]
        waiting.append(await stage.waiting(queue="another queue"))
        if takes_batches(stage.storage):
            waiting.append(asyncio.create_task(stage.storage.pop_many(stage.queue, ALICE, 2)))
            await stage.settle()
        await stage.soon(storage.aclose())

        for task in waiting:
            with pytest.raises(StorageClosed):
                await stage.soon(task)
        await stage.settle()
        assert 0 == stage.clock.timers

    @scenario
    async def test_closing_finishes_what_was_accepted(self, stage: Stage) -> None:
        storage: Any = stage.storage
        job = await stage.popped()
        accepted: list[asyncio.Task[Any]] = [
            asyncio.create_task(storage.push(stage.new())),
            asyncio.create_task(storage.complete(job.returned(JobResult.SUCCESS, ALICE))),
            asyncio.create_task(storage.info(job.id)),
        ]
        await asyncio.sleep(0)
        await stage.soon(storage.aclose())

        done, pending = await asyncio.wait(accepted, timeout=self.guard)
        assert set() == pending
        for task in done:
            assert task.exception() is None

    @scenario
    async def test_a_cancelled_waiter_does_not_keep_a_storage_from_closing(self, stage: Stage) -> None:
        storage: Any = stage.storage
        waiting = await stage.waiting()
        waiting.cancel()
        await stage.soon(storage.aclose())
        with contextlib.suppress(asyncio.CancelledError, StorageClosed):
            await stage.soon(waiting)

    @scenario
    async def test_a_forked_child_is_refused(self, stage: Stage) -> None:
        if not hasattr(os, "fork"):
            pytest.skip("this platform does not fork")
        await stage.push("job")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads in the parent: the child does next to nothing
            child = os.fork()
        if child == 0:
            os._exit(refusals(calls(stage), self.guard / 2))

        try:
            _, status = await stage.soon(asyncio.to_thread(os.waitpid, child, 0))
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            pytest.fail("a call of the forked child hangs")
        assert len(calls(stage)) == os.waitstatus_to_exitcode(status)
        assert ["job"] == await stage.poppable()


def refusals(every: list[Callable[[], Coroutine[Any, Any, Any]]], guard: float) -> int:
    """How many of these calls raise `StorageClosed` on a loop of their own; for the child of a fork."""

    async def count() -> int:
        refused = 0
        for call in every:
            try:
                async with asyncio.timeout(guard):
                    await call()
            except StorageClosed:
                refused += 1
        return refused

    try:
        return asyncio.run(count())
    except BaseException:  # noqa: BLE001  (whatever it is, the child must not go on as a test run)
        return 255
