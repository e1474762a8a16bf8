"""What `instructions.py` counts: `python -m bench.counted pop 4000 8000` pops 4,000 of 8,000 jobs.

An operation comes after those above it in the list, each of which is done for all jobs. The process ends without
tearing anything down, so that jobs which are left over count nowhere. Nor does the garbage collector: when it runs, and
over how much, hangs on what else was imported.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING
from uuid import UUID

from jobcore import JobInfo, JobResult, MemoryStorage, NewJobInfo, ReturnJobInfo

if TYPE_CHECKING:
    from collections.abc import Callable

RUNNER = UUID(int=7)

storage = MemoryStorage()
new: list[NewJobInfo] = []
ids: list[UUID] = []
popped: list[JobInfo | None] = []
returned: list[ReturnJobInfo] = []


def make(numbers: range) -> None:
    new[:] = [NewJobInfo("job", {"number": number}) for number in numbers]


def push(numbers: range) -> None:
    ids[:] = [storage.push_nowait(new[number]) for number in numbers]


def pop(numbers: range) -> None:
    popped[:] = [storage.pop_nowait("default", RUNNER) for _ in numbers]


def heartbeat(numbers: range) -> None:
    for number in numbers:
        storage.heartbeat_nowait(ids[number], RUNNER, 1)


def give_back(numbers: range) -> None:
    returned[:] = [popped[number].returned(JobResult.SUCCESS, RUNNER) for number in numbers]  # type: ignore[union-attr]


def complete(numbers: range) -> None:
    for number in numbers:
        storage.complete_nowait(returned[number])


OPERATIONS: dict[str, Callable[[range], None]] = {
    "NewJobInfo": make,
    "push": push,
    "pop": pop,
    "heartbeat": heartbeat,
    "returned": give_back,
    "complete": complete,
}

if __name__ == "__main__":
    gc.disable()
    counted, calls, jobs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for name, operation in OPERATIONS.items():
        if name == counted:
            operation(range(calls))
            break
        operation(range(jobs))
    os._exit(0)
