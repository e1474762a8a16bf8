"""A load that bears faults: it pushes, pops, keeps, completes and releases jobs, and writes down what it knows.

After `StorageUnavailable` a call may have happened or not, so it is repeated where that is safe: a push with ids of its
own, a heartbeat, a completion. Any other error ends the load. The journal has one line for each fact:

    repeating ID            before a push is repeated: the job may be gone already, and is new then
    pushed ID               the job is there
    popped ID DELIVERY NOW UNTIL    a lease, at that moment and valid until then at the least
    kept ID DELIVERY UNTIL          it was renewed
    completing ID DELIVERY          before the call, from which on the job may be gone
    completed ID DELIVERY           after it
    releasing ID DELIVERY           before the call, from which on others may have the job

As a process, `python -m tests.postgres.load URL JOURNAL SEED`, it says `ready` first, pushes until its input ends, and
ends itself when all is done.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
import time
from collections import defaultdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from jobcore import JobResult, LeaseLost, NewJobInfo, PostgresStorage, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from jobcore import JobInfo

T = TypeVar("T")

INTERVAL = timedelta(milliseconds=100)
LEASE = 5 * INTERVAL // timedelta(microseconds=1) * 1000
"""In nanoseconds."""
QUEUES = ("one", "two")
PAUSE = 0.02
"""Seconds between two attempts."""


async def insisting(call: Callable[[], Awaitable[T]], again: Callable[[], object] = lambda: None) -> T:
    """What it gives when the database is there; `again` is called before each repetition."""
    while True:
        try:
            return await call()
        except StorageUnavailable:
            again()
            await asyncio.sleep(PAUSE)


class Load:
    def __init__(self, storage: PostgresStorage, seed: int, write: Callable[..., None]) -> None:
        self._storage = storage
        self._chance = random.Random(seed)
        self._runner = self._id()
        self._write = write
        self._enough = asyncio.Event()

    async def run(self, faults: Awaitable[None]) -> None:
        """Work until the faults are over, and then until no job is left."""
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(self._work(queue)) for queue in QUEUES for _ in range(8)]
            pushers = [tasks.create_task(self._push()) for _ in range(4)]
            await faults
            self._enough.set()
            await asyncio.wait(pushers)
            while (await insisting(self._storage.stats)).jobs:
                await asyncio.sleep(PAUSE)
            for worker in workers:
                worker.cancel()

    def _id(self) -> UUID:
        return UUID(int=self._chance.getrandbits(128), version=4)

    def _new(self, job_id: UUID | None) -> NewJobInfo:
        return NewJobInfo(
            "job", queue=self._chance.choice(QUEUES), heartbeat_interval=INTERVAL, max_retries=None, id=job_id
        )

    async def _push(self) -> None:
        while not self._enough.is_set():
            number = 250 if self._chance.random() < 0.02 else self._chance.choice((1, 1, 5))
            if self._chance.random() < 0.5:
                jobs = [self._new(self._id()) for _ in range(number)]
                ids = await insisting(partial(self._storage.push_many, jobs), partial(self._tell_again, jobs))
            else:
                try:
                    ids = await self._storage.push_many([self._new(None) for _ in range(number)])
                except StorageUnavailable:
                    continue
            for job_id in ids:
                self._write("pushed", job_id)
            await asyncio.sleep(self._chance.random() / 20)

    def _tell_again(self, jobs: list[NewJobInfo]) -> None:
        for job in jobs:
            self._write("repeating", job.id)

    async def _work(self, queue: str) -> None:
        while True:
            before = time.time_ns()
            jobs = await insisting(lambda: self._storage.pop_many(queue, self._runner, self._chance.choice((1, 10))))
            for job in jobs:  # the claim was made after `before`
                self._write("popped", job.id, job.delivery_count, time.time_ns(), before + LEASE)
            await asyncio.gather(*map(self._carry_out, jobs))

    async def _carry_out(self, job: JobInfo) -> None:
        if self._chance.random() < 0.05:
            await asyncio.sleep(self._chance.random() * LEASE / 1e9)
        try:
            for _ in range(8 if self._chance.random() < 0.05 else self._chance.choice((0, 0, 1))):
                await asyncio.sleep(self._chance.random() / 10)
                before = time.time_ns()
                await insisting(lambda: self._storage.heartbeat(job.id, self._runner, job.delivery_count))
                self._write("kept", job.id, job.delivery_count, before + LEASE)
            if self._chance.random() < 0.8:
                self._write("completing", job.id, job.delivery_count)
                await insisting(lambda: self._storage.complete(job.returned(JobResult.SUCCESS, self._runner)))
                self._write("completed", job.id, job.delivery_count)
            else:
                self._write("releasing", job.id, job.delivery_count)
                await insisting(lambda: self._storage.complete(job.returned(JobResult.UNEXECUTED, self._runner)))
        except LeaseLost:
            self._write("lost", job.id, job.delivery_count)


def repeated_in(facts: Iterable[list[str]]) -> set[UUID]:
    """The jobs whose push was repeated."""
    return {UUID(job) for fact, job, *_ in facts if fact == "repeating"}


def check(journal: Iterable[str], left: Iterable[UUID]) -> int:
    """Nothing was lost, nothing was leased twice at a time, by the journals of all; how many jobs there were."""
    facts = [line.split() for line in journal]
    repeated = repeated_in(facts)
    pushed: set[UUID] = set()
    gone: set[UUID] = set()
    completed: set[UUID] = set()
    ended: set[tuple[UUID, int]] = set()
    since: defaultdict[UUID, dict[int, int]] = defaultdict(dict)
    until: dict[tuple[UUID, int], int] = {}
    for fact, job, *rest in facts:
        job_id = UUID(job)
        delivery, *times = map(int, rest) if rest else (0,)
        match fact:
            case "pushed":
                pushed.add(job_id)
            case "popped":
                assert delivery not in since[job_id] or job_id in repeated, "one delivery, two holders"
                since[job_id][delivery], until[job_id, delivery] = times
            case "kept":
                until[job_id, delivery] = max(until[job_id, delivery], *times)
            case "completing":
                gone.add(job_id)
                ended.add((job_id, delivery))
            case "completed":
                completed.add(job_id)
            case "releasing":
                ended.add((job_id, delivery))
    there = set(left)
    assert set() == pushed - there - gone, "lost"
    assert set() == (completed & there) - repeated, "completed, and there again"
    for job_id, deliveries in since.items():
        order = sorted(deliveries)
        for former, latter in itertools.pairwise(order):
            valid = until[job_id, former] >= deliveries[latter] and (job_id, former) not in ended
            assert not valid or job_id in repeated, "leased while another lease was valid"
    return len(pushed)


async def main(url: str, journal: str, seed: int) -> None:
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(*facts: object) -> None:
        os.write(file, (" ".join(map(str, facts)) + "\n").encode())

    async def input_ends() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)

    storage = PostgresStorage(url)
    try:
        await Load(storage, seed, write).run(input_ends())
    finally:
        await storage.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
