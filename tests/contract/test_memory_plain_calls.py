"""The plain calls of `MemoryStorage`: they never wait, and any thread may make them, with or without a loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import UUID

import pytest

from jobcore import InvalidJob, JobResult, LeaseLost, MemoryStorage, NewJobInfo, StorageClosed

ALICE = UUID(int=1)
BOB = UUID(int=2)


def test_they_are_the_verbs_without_the_waiting() -> None:
    storage = MemoryStorage()
    assert storage.pop_nowait("default", ALICE) is None

    job_id = storage.push_nowait(NewJobInfo("job", [1]))
    job = storage.pop_nowait("default", ALICE)
    assert job is not None
    assert (job_id, [1], 1) == (job.id, job.args, job.delivery_count)
    assert job == storage.info_nowait(job_id)

    storage.heartbeat_nowait(job_id, ALICE, 1)
    with pytest.raises(LeaseLost):
        storage.heartbeat_nowait(job_id, BOB)
    with pytest.raises(LeaseLost):
        storage.complete_nowait(job.returned(JobResult.SUCCESS, BOB))
    assert not storage.complete_nowait(job.returned(JobResult.UNEXECUTED, ALICE))
    assert 1 == len(storage)
    assert storage.pop_nowait("default", BOB) is not None


def test_they_refuse_what_the_verbs_refuse() -> None:
    storage = MemoryStorage()
    wrong: Any
    for wrong in ("", "q" * 256, "a\0b", "\ud800", None, b"default"):
        with pytest.raises(InvalidJob):
            storage.pop_nowait(wrong, ALICE)
    for wrong in (None, "not an id", 7):
        with pytest.raises(InvalidJob):
            storage.pop_nowait("default", wrong)
        with pytest.raises(InvalidJob):
            storage.info_nowait(wrong)
        with pytest.raises(InvalidJob):
            storage.heartbeat_nowait(wrong, ALICE)
        with pytest.raises(InvalidJob):
            storage.push_nowait(wrong)
        with pytest.raises(InvalidJob):
            storage.complete_nowait(wrong)


def test_they_say_that_the_storage_is_closed() -> None:
    storage = MemoryStorage()
    job = NewJobInfo("job")
    storage.push_nowait(job)
    asyncio.run(storage.aclose())

    calls: list[Any] = [
        lambda: storage.push_nowait(job),
        lambda: storage.pop_nowait("default", ALICE),
        lambda: storage.info_nowait(ALICE),
        lambda: storage.heartbeat_nowait(ALICE, ALICE),
    ]
    for call in calls:
        with pytest.raises(StorageClosed):
            call()


def test_an_empty_storage_and_a_closed_one_are_true() -> None:
    storage = MemoryStorage()
    assert (0, True) == (len(storage), bool(storage))
    asyncio.run(storage.aclose())
    assert storage


def test_a_push_from_a_thread_without_a_loop_wakes_a_pop() -> None:
    async def scene(storage: MemoryStorage) -> None:
        for _ in range(50):
            waiting = asyncio.ensure_future(storage.pop("default", ALICE))
            await asyncio.sleep(0)
            pushing = threading.Thread(target=storage.push_nowait, args=(NewJobInfo("job"),))
            pushing.start()
            async with asyncio.timeout(30):
                assert storage.complete_nowait((await waiting).returned(JobResult.SUCCESS, ALICE))
            pushing.join()

    asyncio.run(scene(MemoryStorage()))


def test_each_job_goes_to_one_of_many_threads() -> None:
    storage = MemoryStorage()
    ids = {storage.push_nowait(NewJobInfo("job")) for _ in range(2000)}
    taken: list[UUID] = []
    start = threading.Barrier(4)

    def consume() -> None:
        start.wait()
        while (job := storage.pop_nowait("default", ALICE)) is not None:
            taken.append(job.id)
            storage.complete_nowait(job.returned(JobResult.SUCCESS, ALICE))

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == len(taken)
    assert ids == set(taken)
    assert 0 == len(storage)
