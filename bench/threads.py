"""Two threads against one: `python -m bench.threads` counts the jobs that they push, pop and complete in a second.

Threads that share a storage share its queue and its lock, too; two with a storage each show what the machine can do.
With a GIL neither can be faster than one thread. First the bare verbs, which do little but wait for that lock; then
with a job made for each push, and its arguments read. The exit code tells whether each job was handed out once.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from statistics import median
from uuid import UUID, uuid4

from bench.loads import QUEUE, SMOKE
from jobcore import IMPLEMENTATION, JobInfo, JobResult, MemoryStorage, NewJobInfo

JOBS = 100 if SMOKE else 100_000
"""In each round, over all threads."""
ROUNDS = 1 if SMOKE else 7
CASES = {"one thread": [0], "two threads, one storage": [0, 0], "two threads, a storage each": [0, 1]}


Work = Callable[[MemoryStorage, UUID], JobInfo]
NEW = NewJobInfo("job")


def popped(storage: MemoryStorage, runner: UUID) -> JobInfo:
    job = storage.pop_nowait(QUEUE, runner)
    assert job is not None  # whoever popped the job of this thread had pushed one first
    return job


def bare(storage: MemoryStorage, runner: UUID) -> JobInfo:
    storage.push_nowait(NEW)
    return popped(storage, runner)


def made_and_read(storage: MemoryStorage, runner: UUID) -> JobInfo:
    storage.push_nowait(NewJobInfo("job", {"number": 1}))
    job = popped(storage, runner)
    assert job.args == {"number": 1}
    return job


def run(work: Work, storage: MemoryStorage, start: threading.Barrier, jobs: int, done: list[UUID]) -> None:
    runner = uuid4()
    start.wait()
    for _ in range(jobs):
        job = work(storage, runner)
        storage.complete_nowait(job.returned(JobResult.SUCCESS, runner))
        done.append(job.id)


def measure(work: Work, places: list[int]) -> float:
    """Jobs in a second, with a thread on each of these storages."""
    storages = [MemoryStorage() for _ in places]
    start = threading.Barrier(len(places) + 1)
    done: list[list[UUID]] = [[] for _ in places]
    jobs = JOBS // len(places)
    threads = [
        threading.Thread(target=run, args=(work, storages[place], start, jobs, ids))
        for place, ids in zip(places, done, strict=True)
    ]
    for thread in threads:
        thread.start()
    start.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    total = jobs * len(places)
    different = len(set().union(*done))
    if total != different:
        sys.exit(f"WRONG: {total:,} jobs were handed out, and {different:,} different ones")
    return total / seconds


def main() -> None:
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"Python {sys.version.split()[0]}, {'with a' if gil else 'without the'} GIL, {IMPLEMENTATION}")
    for work in (bare, made_and_read):
        rounds = [{case: measure(work, places) for case, places in CASES.items()} for _ in range(ROUNDS)]
        for case in CASES:
            speed = median(each[case] for each in rounds)
            ratio = median(each[case] / each["one thread"] for each in rounds)
            print(f"{work.__name__.replace('_', ' '):15}{case:30}{speed:12,.0f} jobs/s{ratio:8.2f} x")


if __name__ == "__main__":
    main()
