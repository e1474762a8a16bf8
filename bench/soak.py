"""A `MemoryStorage` under everything at once, for as long as you like: `python -m bench.soak --seconds 60`.

One thread pushes; two threads, each with an event loop, pop, renew, fail, forget and complete. It all comes in waves,
so that runners have too much to do for a second and wait the next. Jobs have priorities, due times, retries and short
leases, and queues whose names are used once.

What must hold is kept in a `Ledger`: every job that was pushed ends exactly once, whatever becomes of its runners. A
job ends when a completion removes it; a completion that finds it gone (`_missing`) ends nothing. When all is drained
the storage must be empty, nobody may be left in a waitlist, the counters must agree with the ledger, and after the
first quarter the process may not have grown. The exit code tells.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import threading
import time
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from bench.resident import resident_memory
from jobcore import JobInfo, JobResult, LeaseLost, Linear, MemoryStorage, NewJobInfo, ReturnJobInfo

QUEUES = ("mail", "images", "reports")
HEARTBEAT = timedelta(milliseconds=20)
LEASE = 5 * HEARTBEAT.total_seconds()
MOST_RESIDENT = 3_000
LOOPS = 2
RUNNERS = 12
"""In each loop, on the steady queues."""
PATIENCE = 30.0
"""Seconds that draining may take; the longest lease, delay and backoff are far shorter."""
SHORTEST_MEMORABLE = 20.0
"""Seconds: a run that is shorter says nothing about memory."""

MILLISECOND = timedelta(milliseconds=1)


class SoakStorage(MemoryStorage):
    """Says whether the completion that this thread made just now found its job gone."""

    def __init__(self) -> None:
        super().__init__()
        self.latest = threading.local()

    def _missing(self, returned: ReturnJobInfo) -> bool:
        self.latest.missing = True
        return super()._missing(returned)


class Ledger:
    """Which jobs have not ended, and everything that went wrong. For any thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open: set[UUID] = set()
        self.counts: Counter[str] = Counter()
        self.faults: deque[str] = deque(maxlen=20)
        self.latencies: list[float] = []

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def ended(self, job_id: UUID) -> None:
        with self.lock:
            self.counts["ended"] += 1
            if job_id in self.open:
                self.open.remove(job_id)
            else:
                self.faults.append(f"{job_id} ended twice")

    def fault(self, text: str) -> None:
        with self.lock:
            self.faults.append(text)

    def popped(self, job: JobInfo, called: float) -> None:
        """Note how long this job and the runner that got it stood waiting for each other."""
        if job.delivery_count == 1:  # later ones may have waited for a lease, and do not say so
            due = (datetime.now(UTC) - job.next_queue).total_seconds()
            latency = min(due, time.monotonic() - called)
            with self.lock:
                self.latencies.append(latency)


class Soak:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.storage = SoakStorage()
        self.ledger = Ledger()
        self.random = random.Random(seed)
        self.started = time.monotonic()
        self.pushing = True
        self.running = True
        self.bursts: deque[str] = deque()
        """Queues whose names are used once, and which may still have jobs."""

    # Pushing, in a thread without a loop.

    def push_all(self) -> None:
        number = 0
        while self.pushing:
            flood = int(time.monotonic() - self.started) % 2 == 0
            if len(self.storage) < MOST_RESIDENT:
                number += 1
                self.push_burst(f"burst-{number}")
                self.push_twice()
                for _ in range(100 if flood else 1):
                    self.push(self.random.choice(QUEUES))
            time.sleep(0.001 if flood else 0.005)

    def push_burst(self, queue: str) -> None:
        if len(self.bursts) < 5:  # noqa: PLR2004
            for _ in range(3):
                self.push(queue)
            self.bursts.append(queue)

    def push(self, queue: str) -> None:
        job = NewJobInfo(
            "soak",
            {"number": self.random.random(), "text": "x" * self.random.randrange(100)},
            queue=queue,
            priority=self.random.choice((-5, 0, 0, 0, self.random.randrange(1000))),
            max_retries=self.random.choice((0, 1, 3, None)),
            backoff=Linear(self.random.choice((0, 0.001, 0.02))),
            heartbeat_interval=HEARTBEAT,
            next_queue=self.random.choice((None, None, self.random.randrange(100) * MILLISECOND)),
            id=self.random.choice((None, uuid4())),
        )
        with self.ledger.lock:  # nobody can note its end before it is noted here
            self.ledger.open.add(self.storage.push_nowait(job))
            self.ledger.counts["pushed"] += 1

    def push_twice(self) -> None:
        """The second push changes nothing, since the first job is still there; it will not be due for long enough."""
        job = NewJobInfo(
            "soak",
            queue=QUEUES[0],
            backoff=Linear(0),
            heartbeat_interval=HEARTBEAT,
            next_queue=1000 * MILLISECOND,
            id=uuid4(),
        )
        with self.ledger.lock:
            self.ledger.open.add(self.storage.push_nowait(job))
            self.ledger.counts["pushed"] += 1
            self.storage.push_nowait(job)

    # Running, in threads with a loop.

    def run_loop(self, seed: int) -> None:
        try:
            asyncio.run(self.work(random.Random(seed)))
        except BaseException as error:  # noqa: BLE001 -- whatever it is, the run has failed
            self.ledger.fault(f"a loop ended by {error!r}")

    async def work(self, rng: random.Random) -> None:
        workers = [self.work_steadily(rng, QUEUES[place % len(QUEUES)]) for place in range(RUNNERS)]
        workers += [self.work_impatiently(rng), self.work_impatiently(rng), self.work_on_bursts(rng)]
        tasks = [asyncio.create_task(worker) for worker in workers]
        while self.running:
            await asyncio.sleep(0.05)
            for task in tasks:
                if task.done():
                    self.running = False
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError):
                self.ledger.fault(f"a runner ended by {result!r}")

    async def work_steadily(self, rng: random.Random, queue: str) -> None:
        runner = uuid4()
        while True:
            called = time.monotonic()
            if rng.random() < 0.2:  # noqa: PLR2004
                jobs = await self.storage.pop_many(queue, runner, rng.randrange(1, 10))
            else:
                jobs = [await self.storage.pop(queue, runner)]
            for job in jobs:
                self.ledger.popped(job, called)
            for job in jobs:
                await self.handle(rng, job, runner)

    async def work_impatiently(self, rng: random.Random) -> None:
        """Cancel pops while they wait, and those that got their job this very moment."""
        runner = uuid4()
        while True:
            try:
                job = await asyncio.wait_for(self.storage.pop(rng.choice(QUEUES), runner), rng.random() / 100)
            except TimeoutError:
                self.ledger.count("cancelled")
            else:
                await self.handle(rng, job, runner)

    async def work_on_bursts(self, rng: random.Random) -> None:
        runner = uuid4()
        while True:
            try:
                queue = self.bursts.popleft()
            except IndexError:
                await asyncio.sleep(0.005)
                continue
            try:
                await self.handle(rng, await asyncio.wait_for(self.storage.pop(queue, runner), 0.02), runner)
            except TimeoutError:
                if queue not in self.storage.stats().by_queue:
                    continue
            self.bursts.append(queue)

    async def handle(self, rng: random.Random, job: JobInfo, runner: UUID) -> None:
        fate = rng.random()
        result, delay = JobResult.SUCCESS, None
        try:
            if fate < 0.005:  # noqa: PLR2004
                self.ledger.count("abandoned")
                return
            if fate < 0.008:  # noqa: PLR2004
                await asyncio.sleep(LEASE * (1 + rng.random()))  # too late, or just not
            elif fate < 0.012:  # noqa: PLR2004
                for _ in range(5):
                    await asyncio.sleep(LEASE / 3)
                    await self.storage.heartbeat(job.id, runner, job.delivery_count)
            elif fate < 0.2:  # noqa: PLR2004
                result = rng.choice(tuple(JobResult))
                delay = rng.choice((None, rng.randrange(50) * MILLISECOND))
            await self.complete(job.returned(result, runner, delay=delay, error="no luck"))
        except LeaseLost:
            self.ledger.count("lost leases")

    async def complete(self, returned: ReturnJobInfo) -> None:
        self.storage.latest.missing = False
        removed = await self.storage.complete(returned)  # never suspends, so `latest` is about this one
        if removed and not self.storage.latest.missing:
            self.ledger.ended(returned.id)


class Watch:
    """Prints what happens, and remembers how much memory there was."""

    def __init__(self, soak: Soak, seconds: float) -> None:
        self.soak = soak
        self.seconds = seconds
        self.ended = 0
        self.early = 0
        """The most bytes in the first quarter."""
        self.late = 0
        """Bytes at the end."""

    def watch(self, interval: float) -> None:
        end = self.soak.started + self.seconds
        printed = time.monotonic()
        while (now := time.monotonic()) < end and self.soak.running:
            time.sleep(min(0.1, end - now))
            self.late = resident_memory()
            if now - self.soak.started <= self.seconds / 4:
                self.early = max(self.early, self.late)
            if now - printed >= interval:
                self.report(now - printed)
                printed = now

    def report(self, seconds: float) -> None:
        ledger = self.soak.ledger
        with ledger.lock:
            latencies, ledger.latencies = sorted(ledger.latencies), []
            counts = Counter(ledger.counts)
        median, most = (latencies[len(latencies) * part // 100] * 1e3 for part in (50, 99)) if latencies else (0, 0)
        print(
            f"{time.monotonic() - self.soak.started:6.0f} s"
            f"  {(counts['ended'] - self.ended) / seconds:7,.0f} jobs/s"
            f"  pop p50 {median:6.2f} ms, p99 {most:6.2f} ms"
            f"  {resident_memory() / 2**20:6.1f} MiB"
            f"  resident {len(self.soak.storage):5}"
            f"  ended {counts['ended']:,}, cancelled {counts['cancelled']:,}, abandoned {counts['abandoned']:,},"
            f" lost leases {counts['lost leases']:,}",
            flush=True,
        )
        self.ended = counts["ended"]

    def faults(self) -> list[str]:
        limit = self.early * 1.05 + 4 * 2**20
        if self.seconds < SHORTEST_MEMORABLE or self.late <= limit:
            return []
        return [f"memory grew from {self.early / 2**20:.1f} to {self.late / 2**20:.1f} MiB"]


def drain(soak: Soak) -> None:
    """Let the runners finish what is there."""
    soak.pushing = False
    deadline = time.monotonic() + PATIENCE
    while len(soak.storage) and time.monotonic() < deadline and soak.running:
        time.sleep(0.05)
    soak.running = False


def judge(soak: Soak) -> list[str]:
    """What is wrong now that everybody has gone home."""
    storage, ledger = soak.storage, soak.ledger
    stats, counts = storage.stats(), ledger.counts
    expected = {
        "jobs never ended": (0, len(ledger.open)),
        "jobs left": (0, len(storage)),
        "jobs left running": (0, stats.running),
        "queues left": (0, stats.queues),
        "waitlists left": (0, len(storage._waiting.by_queue)),  # noqa: SLF001
        "pushed": (counts["pushed"], stats.pushed),
        "ended": (counts["pushed"], stats.completed + stats.dead),
        "handed out": (stats.popped, stats.completed + stats.dead + stats.failed + stats.returned + stats.reclaimed),
    }
    wrong = [f"{what}: {is_} instead of {should}" for what, (should, is_) in expected.items() if is_ != should]
    return [*ledger.faults, *wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--interval", type=float, default=5, help="seconds between two lines")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    logging.getLogger("jobcore").setLevel(logging.ERROR)  # completions of jobs that are gone are part of the load

    print(f"seed {arguments.seed}")
    soak = Soak(arguments.seed)
    watch = Watch(soak, arguments.seconds)
    threads = [threading.Thread(target=soak.push_all)]
    threads += [threading.Thread(target=soak.run_loop, args=(arguments.seed + place,)) for place in range(LOOPS)]
    for thread in threads:
        thread.start()
    try:
        watch.watch(arguments.interval)
        drain(soak)
    finally:
        soak.pushing = soak.running = False
        for thread in threads:
            thread.join()
    faults = judge(soak) + watch.faults()
    for fault in faults:
        print(f"WRONG: {fault}")
    print(f"{soak.ledger.counts['pushed']:,} jobs pushed, each ended once" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
