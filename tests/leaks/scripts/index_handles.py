"""The handles of a `JobIndex`: each lives as long as the index has it, and not longer."""

from __future__ import annotations

import sys
from itertools import count
from typing import Any
from uuid import UUID

from jobcore import InvalidJob, LeaseLost
from jobcore.memory import JobIndex
from tests.leaks.scripts.counting import CYCLES, Handle, assert_flat

QUEUE = "queue" * 3
RUNNER = UUID(int=1)
STRANGER = UUID(int=2)
JOB_ID = UUID(int=3)
numbers = count(1000)
wrong: Any = object()


def alive() -> dict[str, int]:
    return {group: number for group, number in Handle.living.items() if number}


def filled(jobs: int) -> JobIndex:
    """An index of jobs in all states."""
    index = JobIndex()
    for number in range(jobs):
        index.insert(UUID(int=number), Handle("held"), queue=f"queue {number % 3}", due=number % 7, lease=number % 5)
    for number in range(jobs // 2):
        index.pop(f"queue {number % 3}", RUNNER, number % 7, number)
    return index


# Removed, replaced, refused.
index = JobIndex()
index.insert(JOB_ID, Handle("first"), queue=QUEUE)
assert not index.insert(JOB_ID, Handle("refused"), queue=QUEUE)
for options in ({"queue": ""}, {"priority": 2**15}, {"due": wrong}, {"lease": -1}):
    try:
        index.insert(UUID(int=4), Handle("refused"), **options)
    except InvalidJob:
        continue
    raise AssertionError(options)
assert alive() == {"first": 1}
found = index.pop(QUEUE, RUNNER, 0, 0)
assert found is not None
assert alive() == {"first": 1}
for call in (lambda: index.put_back(JOB_ID, Handle("refused"), 0, STRANGER), lambda: index.remove(JOB_ID, STRANGER)):
    try:
        call()
    except LeaseLost:
        continue
    raise AssertionError("no LeaseLost")
index.put_back(JOB_ID, Handle("second"), 0, RUNNER)
assert alive() == {"first": 1, "second": 1}
del found
assert alive() == {"second": 1}
assert [facts[1].group for facts in index.walk(QUEUE)] == ["second"]
removed = index.remove(JOB_ID)
assert alive() == {"second": 1}
assert sys.getrefcount(removed) == 2
del removed
assert alive() == {}

# An index that is cleared, or goes.
index = filled(1000)
assert alive() == {"held": 1000}
index.clear()
assert alive() == {}
index = filled(1000)
del index
assert alive() == {}

# A handle that uses the index when it goes.
index = JobIndex()


class Meddler(Handle):
    def __del__(self) -> None:
        super().__del__()
        index.insert(UUID(int=next(numbers)), Handle("heir"))
        index.pop("default", RUNNER, 0, 0)


index.insert(JOB_ID, Meddler("meddler"))
index.put_back(JOB_ID, None, 0)
assert alive() == {"heir": 1}
index.insert(STRANGER, Meddler("meddler"))
index.clear()
assert alive() == {"heir": 1}
index.clear()
assert alive() == {}

# Many times.
handle = Handle("shared")
index = JobIndex()


def cycle() -> None:
    index.insert(JOB_ID, handle, queue=QUEUE)
    index.insert(JOB_ID, handle, queue=QUEUE)
    facts = index.pop(QUEUE, RUNNER, 0, 0)
    assert facts is not None
    index.heartbeat(JOB_ID, RUNNER, 5, 1)
    index.put_back(JOB_ID, handle, 0, RUNNER)
    index.rekey(JOB_ID, 3, 0)
    assert facts[:2] == index.walk(QUEUE)[0][:2]
    assert index.get(JOB_ID) is not None
    assert JOB_ID in index
    assert index.next_due(QUEUE) == index.until_next(QUEUE, 0, 0) == 0
    assert index.queues() == {QUEUE: (1, 0)}
    index.remove(JOB_ID)


assert_flat(cycle, handle, index, RUNNER, JOB_ID, cycles=CYCLES // 4)
assert alive() == {"shared": 1}
