"""What is measured on: storages full of jobs, which stay as full as they were.

A load has `waiting` jobs, all due, and beside them `running` ones under leases that outlast the run. An operation is
timed in units of `OPS` calls, since one call is shorter than a clock is exact; between two units `settle` brings the
load back to its size. Jobs enter at the end and leave at the front, so a pop meets jobs that nobody has touched since
they were pushed, as it does in use, and no pop finds the same job in the caches of the unit before.

`BENCH_SMOKE` in the environment makes all sizes tiny: then nothing is measured, and all of it is run.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import random
from asyncio import _set_running_loop as set_running_loop
from collections import deque
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from jobcore import JobInfo, JobResult, MemoryStorage, NewJobInfo

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

T = TypeVar("T")

SMOKE = "BENCH_SMOKE" in os.environ

WAITING = (10, 100) if SMOKE else (100, 10_000, 1_000_000)
RUNNING = (0, 20) if SMOKE else (0, 1_000, 100_000)
MANY = WAITING[-1]
OPS = 5 if SMOKE else 50

QUEUE = "default"
RUNNER = UUID(int=0xDEC0DE << 64 | 1)
LONG = timedelta(days=1)

_numbers = itertools.count()


def power(number: int) -> str:
    """Powers of ten as 1e4, other numbers as they are."""
    text = str(number)
    return f"1e{len(text) - 1}" if number > 1 and text.strip("0") == "1" else text


def new_jobs(count: int, **options: Any) -> list[NewJobInfo]:
    """Jobs to push, each with arguments of its own."""
    return [NewJobInfo("job", {"number": next(_numbers)}, heartbeat_interval=LONG, **options) for _ in range(count)]


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await this, as in a running loop that has nothing else to do; its own turns would hide what a call costs."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result


@contextmanager
def running_loop() -> Iterator[None]:
    """Let `drive` find a running loop."""
    loop = asyncio.new_event_loop()
    set_running_loop(loop)
    try:
        yield
    finally:
        set_running_loop(None)
        loop.close()


@contextmanager
def without_collection() -> Iterator[None]:
    """Fill without the collector's passes over what has been filled in so far."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Load:
    """A storage with so many jobs in one queue."""

    def __init__(self, waiting: int, running: int) -> None:
        self.waiting = waiting
        self.running = running
        self.storage = MemoryStorage()
        self.taken: list[JobInfo] = []
        """What the last unit popped; `settle` completes it."""
        with without_collection():
            for job in new_jobs(running):
                self.storage.push_nowait(job)
            self.held = self.storage.pop_many_nowait(QUEUE, RUNNER, running) if running else []
            # Jobs enter and leave in order, so these are always the ids of those that wait.
            self.ids: deque[UUID] = deque(maxlen=waiting)
            self.settle()

    def settle(self) -> None:
        """Back to its size."""
        storage = self.storage
        self._complete(self.taken)
        self.taken = []
        missing = self.waiting + self.running - len(storage)
        if missing < 0:
            self._complete(storage.pop_many_nowait(QUEUE, RUNNER, -missing))
        for job in new_jobs(max(0, missing)):
            self.ids.append(storage.push_nowait(job))

    def _complete(self, jobs: list[JobInfo]) -> None:
        for job in jobs:
            self.storage.complete_nowait(job.returned(JobResult.SUCCESS, RUNNER))

    def take(self, count: int) -> list[JobInfo]:
        """Pop so many."""
        self.taken = self.storage.pop_many_nowait(QUEUE, RUNNER, count)
        return self.taken

    def some_held(self, count: int) -> list[JobInfo]:
        """Running jobs, at random; where none run, some are popped."""
        return random.sample(self.held, min(count, len(self.held))) if self.held else self.take(count)

    def some_ids(self, count: int) -> list[UUID]:
        """Ids of waiting jobs, at random."""
        return [self.ids[random.randrange(len(self.ids))] for _ in range(count)]
