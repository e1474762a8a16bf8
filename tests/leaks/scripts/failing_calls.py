"""Calls that raise, or change nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from jobcore import InvalidJob, JobResult, LeaseLost, MemoryStorage, NewJobInfo, ReturnJobInfo, StorageClosed
from tests.leaks.scripts.counting import CYCLES, assert_flat

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE = "queue" * 3
RUNNER = UUID(int=1)
STRANGER = UUID(int=2)
JOB_ID = UUID(int=3)

logging.getLogger("jobcore").setLevel(logging.ERROR)

job = NewJobInfo("job", {"number": 1}, queue=QUEUE, id=JOB_ID)
wrong: Any = object()
storage = MemoryStorage()
storage.push_nowait(job)
popped = storage.pop_nowait(QUEUE, RUNNER)
assert popped is not None
stolen = popped.returned(JobResult.SUCCESS, STRANGER)
unknown = ReturnJobInfo(STRANGER, JobResult.SUCCESS, RUNNER)
closed = MemoryStorage()
asyncio.run(closed.aclose())


def raising(kind: type[Exception], call: Callable[..., object], *arguments: Any, **options: Any) -> Callable[[], None]:
    def cycle() -> None:
        try:
            call(*arguments, **options)
        except kind:
            return
        raise AssertionError(f"no {kind.__name__}")

    return cycle


def duplicate() -> None:
    assert storage.push_nowait(job) == JOB_ID


def push_many_wrong() -> None:
    try:
        storage.push_many([job, wrong]).send(None)
    except InvalidJob:
        return
    raise AssertionError("no InvalidJob")


given = (job, wrong, storage, popped, stolen, unknown, RUNNER, STRANGER, JOB_ID)
cycles = [
    duplicate,
    push_many_wrong,
    lambda: storage.complete_nowait(unknown),
    raising(InvalidJob, storage.push_nowait, wrong),
    raising(InvalidJob, storage.pop_nowait, "", RUNNER),
    raising(InvalidJob, storage.pop_nowait, QUEUE, wrong),
    raising(InvalidJob, storage.pop_many_nowait, QUEUE, RUNNER, 0),
    raising(InvalidJob, storage.info_nowait, wrong),
    raising(InvalidJob, storage.complete_nowait, wrong),
    raising(LeaseLost, storage.heartbeat_nowait, JOB_ID, STRANGER),
    raising(LeaseLost, storage.complete_nowait, stolen),
    raising(StorageClosed, closed.push_nowait, job),
    raising(StorageClosed, closed.pop_nowait, QUEUE, RUNNER),
    raising(InvalidJob, NewJobInfo, ""),
    raising(InvalidJob, NewJobInfo, "job", wrong),
    raising(InvalidJob, NewJobInfo, "job", queue="\0", id=JOB_ID),
    raising(InvalidJob, NewJobInfo, "job", priority=2**15),
    raising(InvalidJob, NewJobInfo, "job", next_queue=wrong),
    raising(InvalidJob, ReturnJobInfo, JOB_ID, JobResult.SUCCESS, RUNNER, delay=wrong),
]
for cycle in cycles:
    assert_flat(cycle, *given, cycles=CYCLES // 10)
