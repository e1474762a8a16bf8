"""Calls that nobody awaits: each warns, and lets go of what it was given."""

from __future__ import annotations

import sys
import warnings
from uuid import UUID

from jobcore import JobResult, MemoryStorage, NewJobInfo, ReturnJobInfo
from tests.leaks.scripts.counting import CYCLES, assert_flat

QUEUE = "queue" * 3
RUNNER = UUID(int=1)
JOB_ID = UUID(int=2)

job = NewJobInfo("job", queue=QUEUE)
returned = ReturnJobInfo(JOB_ID, JobResult.SUCCESS)
storage = MemoryStorage()
given = (job, returned, storage, RUNNER, JOB_ID)


def forget() -> None:
    storage.push(job)  # type: ignore[unused-coroutine]
    storage.pop(QUEUE, RUNNER)  # type: ignore[unused-coroutine]
    storage.heartbeat(JOB_ID, RUNNER, 1)  # type: ignore[unused-coroutine]
    storage.complete(returned)  # type: ignore[unused-coroutine]
    storage.info(JOB_ID)  # type: ignore[unused-coroutine]


def close() -> None:
    storage.push(job).close()
    storage.pop(QUEUE, RUNNER).close()


before = [sys.getrefcount(each) for each in given]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    forget()
verbs = [str(warning.message).split("'")[1].split(".")[-1] for warning in caught]
assert verbs == ["push", "pop", "heartbeat", "complete", "info"]
caught.clear()  # a warning knows what it is about
assert before == [sys.getrefcount(each) for each in given]

warnings.simplefilter("ignore")
assert_flat(forget, *given, cycles=CYCLES // 10)
warnings.simplefilter("error")
assert_flat(close, *given, cycles=CYCLES // 4)
assert len(storage) == 0
