"""The verbs of `MemoryStorage` return coroutines, however made: lazy, awaited once, closed, thrown into."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import pytest

from jobcore import JobResult, LeaseLost, MemoryStorage, NewJobInfo, ReturnJobInfo

ALICE = UUID(int=1)

# inspect hears of functions that are none in Python since 3.12
is_coroutine_function = inspect.iscoroutinefunction if sys.version_info >= (3, 12) else asyncio.iscoroutinefunction


def calls(storage: MemoryStorage) -> list[Coroutine[Any, Any, Any]]:
    return [
        storage.push(NewJobInfo("job")),
        storage.pop("default", ALICE),
        storage.heartbeat(ALICE, ALICE),
        storage.complete(ReturnJobInfo(ALICE, JobResult.SUCCESS)),
        storage.info(ALICE),
    ]


def test_nothing_happens_before_they_are_awaited() -> None:
    storage = MemoryStorage()
    for call in calls(storage):
        call.close()
    assert (0, 0) == (len(storage), storage.stats().missing)


def test_they_are_coroutines_to_whoever_asks() -> None:
    storage = MemoryStorage()
    for call in calls(storage):
        assert isinstance(call, Coroutine)
        assert asyncio.iscoroutine(call)
        assert inspect.isawaitable(call)
        assert getattr(call, "__qualname__", "").startswith("Memory")
        call.close()
    for verb in (storage.push, storage.pop, storage.heartbeat, storage.complete, storage.info):
        assert is_coroutine_function(verb)


def test_they_are_awaited_once() -> None:
    storage = MemoryStorage()
    call = storage.push(NewJobInfo("job"))

    async def scene() -> None:
        await call
        with pytest.raises(RuntimeError, match="cannot reuse"):
            await call

    asyncio.run(scene())
    assert 1 == len(storage)


def test_they_run_in_tasks_and_by_hand() -> None:
    storage = MemoryStorage()

    async def scene() -> None:
        job_id = await asyncio.create_task(storage.push(NewJobInfo("job")))
        job = await asyncio.gather(storage.pop("default", ALICE), storage.info(job_id))
        assert [job_id, job_id] == [found.id for found in job if found is not None]

    asyncio.run(scene())
    assert isinstance(asyncio.run(storage.push(NewJobInfo("job"))), UUID)
    with pytest.raises(StopIteration) as end:
        storage.info(ALICE).send(None)
    assert end.value.value is None


def test_an_exception_thrown_in_comes_out_and_ends_them() -> None:
    storage = MemoryStorage()
    for call in calls(storage):
        with pytest.raises(KeyError):
            call.throw(KeyError("thrown"))
        with pytest.raises(RuntimeError, match="cannot reuse"):
            call.send(None)
    assert 0 == len(storage)


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature of throw:DeprecationWarning")
def test_a_class_of_exceptions_can_be_thrown_in_and_nothing_else() -> None:
    storage = MemoryStorage()
    for call in calls(storage):
        with pytest.raises(KeyError, match="why"):
            call.throw(KeyError, "why")
    wrong: Any
    for call, wrong in zip(calls(storage), [(5,), (int,), ("text",), (), (None,)], strict=True):
        with pytest.raises(TypeError):
            call.throw(*wrong)
        call.close()


def test_nothing_can_be_sent_to_one_that_has_not_begun() -> None:
    storage = MemoryStorage()
    for call in calls(storage):
        with pytest.raises(TypeError, match="just-started"):
            call.send(5)
        call.close()
    assert 0 == len(storage)


def test_one_that_waits_can_be_closed_or_thrown_into_and_takes_nothing() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        closed, failed = waiting(storage), waiting(storage)
        closed.close()
        with pytest.raises(KeyError):
            failed.throw(KeyError("thrown"))
        assert {} == storage._waiting.by_queue
        await storage.push(NewJobInfo("job"))
        assert storage.pop_nowait("default", ALICE) is not None

    asyncio.run(scene())


def test_tools_see_that_one_waits_and_for_what() -> None:
    async def scene() -> None:
        call: Any = waiting(MemoryStorage())
        assert "pop" in call.__name__
        assert inspect.CORO_SUSPENDED == inspect.getcoroutinestate(call)
        assert call.cr_await is not None
        assert call.cr_frame is not None
        call.close()
        assert inspect.CORO_CLOSED == inspect.getcoroutinestate(call)

    asyncio.run(scene())


@pytest.mark.skipif(sys.version_info < (3, 15), reason="what has no frame yet is taken for closed before 3.15")
def test_tools_see_that_one_has_not_begun() -> None:
    call: Any = MemoryStorage().pop("default", ALICE)
    assert inspect.CORO_CREATED == inspect.getcoroutinestate(call)
    call.close()
    assert inspect.CORO_CLOSED == inspect.getcoroutinestate(call)


def waiting(storage: MemoryStorage) -> Coroutine[Any, Any, Any]:
    """A pop that waits for a future, carried on by hand."""
    call = storage.pop("default", ALICE)
    steps = call.__await__()
    while next(steps) is None:  # as long as it only lets others have their turn
        continue
    return call


def test_errors_come_out_where_they_are_awaited() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        with pytest.raises(LeaseLost):
            await storage.heartbeat(ALICE, ALICE)
        wrong: Any = 5
        for call in (storage.push(wrong), storage.pop(wrong, ALICE), storage.complete(wrong), storage.info(wrong)):
            with pytest.raises(TypeError):
                await call

    asyncio.run(scene())


def forget(call: Coroutine[Any, Any, Any]) -> None:
    del call
    gc.collect()


def test_one_that_nobody_awaited_is_told() -> None:
    storage = MemoryStorage()
    with pytest.warns(RuntimeWarning, match="push.* was never awaited"):
        forget(storage.push(NewJobInfo("job")))
    assert 0 == len(storage)


def test_one_that_waits_when_its_loop_is_gone_is_forgotten() -> None:
    storage = MemoryStorage()
    loop = asyncio.new_event_loop()
    task = loop.create_task(storage.pop("default", ALICE))
    while not storage._waiting.by_queue:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    del task, loop
    storage.push_nowait(NewJobInfo("job"))
    gc.collect()

    assert {} == storage._waiting.by_queue
    assert storage.pop_nowait("default", ALICE) is not None
