"""Where an allocation fails, the call tells so, and the storage is as if it had not been made.

Each call is made again and again, and each time the next one of its allocations fails, until none is left. In pure
Python every line allocates, also between two that belong together, so there a lease may be taken that nobody has.
"""

from __future__ import annotations

import sysconfig
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from jobcore import IMPLEMENTATION, JobInfo, JobResult, MemoryStorage, NewJobInfo, ReturnJobInfo
from jobcore.memory import JobIndex

if TYPE_CHECKING:
    from collections.abc import Callable

memory = pytest.importorskip("_testcapi", reason="only some builds of CPython can let allocations fail")
pytestmark = [
    pytest.mark.skipif(IMPLEMENTATION == "python", reason="in pure Python a lease may be taken that nobody has"),
    pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="allocators cannot be replaced there"),
]

RUNNER = UUID(int=1)
JOB = UUID(int=2)


def fails(call: Callable[[], Any], number: int) -> bool:
    """Whether this call raises where so many allocations succeed and the next one does not."""
    memory.set_nomemory(number, number + 1)
    try:
        call()
    except MemoryError:
        return True
    finally:
        memory.remove_mem_hooks()
    return False


def failures(attempt: Callable[[int], bool]) -> int:
    """How often this fails until nothing is left that could: twenty numbers on end without a failure."""
    failed, succeeded, number = 0, 0, 0
    while succeeded < 20:
        if attempt(number):
            failed, succeeded = failed + 1, 0
        else:
            succeeded += 1
        number += 1
    return failed


def storage_of(number: int) -> MemoryStorage:
    storage = MemoryStorage()
    for _ in range(number):
        storage.push_nowait(NewJobInfo("job", {"key": "value"}))
    return storage


def popped(storage: MemoryStorage) -> list[int]:
    """How often each of the jobs that can be popped was delivered, this time included."""
    jobs: list[JobInfo] = []
    while job := storage.pop_nowait("default", RUNNER):
        jobs.append(job)
    return [job.delivery_count for job in jobs]


def test_a_push_that_fails_leaves_no_job() -> None:
    def attempt(number: int) -> bool:
        storage, job = MemoryStorage(), NewJobInfo("job", {"key": "value"})
        failed = fails(lambda: storage.push_nowait(job), number)
        assert [1] * (not failed) == popped(storage)
        return failed

    assert failures(attempt)


def test_a_pop_that_fails_takes_no_job() -> None:
    def attempt(number: int) -> bool:
        storage = storage_of(1)
        failed = fails(lambda: storage.pop_nowait("default", RUNNER), number)
        assert failed == (popped(storage) == [1])
        assert 1 == storage.stats().popped
        return failed

    assert failures(attempt)


def test_a_pop_of_many_that_fails_takes_none() -> None:
    def attempt(number: int) -> bool:
        storage = storage_of(4)
        failed = fails(lambda: storage.pop_many_nowait("default", RUNNER, 3), number)
        assert ([1] * 4 if failed else [1]) == popped(storage)
        return failed

    assert failures(attempt)


def test_a_job_whose_return_fails_is_there() -> None:
    def attempt(number: int) -> bool:
        storage = storage_of(1)
        job = storage.pop_nowait("default", RUNNER)
        assert job is not None
        returned = ReturnJobInfo(job.id, JobResult.UNEXECUTED, runner_id=RUNNER)
        failed = fails(lambda: storage.complete_nowait(returned), number)
        assert job.id == getattr(storage.info_nowait(job.id), "id", None)
        return failed

    assert failures(attempt)


def test_a_pop_from_an_index_that_fails_takes_nothing() -> None:
    def attempt(number: int) -> bool:
        index = JobIndex()
        index.insert(JOB, "handle", queue="work", priority=0, due=0, lease=1)
        failed = fails(lambda: index.pop("work", RUNNER, 0, 0), number)
        assert ((JOB, "handle", 0, 1, 0) if failed else None) == index.pop("work", RUNNER, 0, 0)
        return failed

    assert failures(attempt)
