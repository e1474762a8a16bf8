"""What is measured, alike for every peer. Each function belongs to one process of its own (`child.py`).

A rate ends when the last job is *acknowledged*, not when it began: what a worker had buffered counts. A slow peer gets
fewer jobs, never fewer seconds than it needs to get going, and each figure says how many jobs it is from.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from bench.peers.adapter import chunks, numbered
from bench.peers.cpu import Meter

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.peers.adapter import Adapter

Result = dict[str, Any]

BATCH = 1000
PUSHERS = 64
MOST = 200_000
"""Jobs that one measurement pushes at the most."""
PATIENCE = 5
"""A measurement may take so many times what it should."""


@dataclass
class Plan:
    """How long to measure, and on what."""

    seconds: float
    server: int = 0
    """The process of the server, if there is one."""
    waiting: int = 0
    running: int = 0


async def call(adapter: Adapter, number: int, sent: int) -> None:
    """Push, by whichever kind of call it is."""
    pushed = adapter.enqueue(number, sent)
    if pushed is not None:
        await pushed


async def fill(adapter: Adapter, jobs: int, seconds: float) -> int:
    """Push jobs by the fastest way that there is, for so long at the most; how many."""
    ends = time.monotonic() + seconds
    pushed = 0
    if adapter.enqueue_many is None:
        numbers = iter(range(jobs))

        async def push() -> None:
            nonlocal pushed
            for number in numbers:
                await call(adapter, number, 0)
                pushed += 1
                if time.monotonic() > ends:
                    return

        await asyncio.gather(*(push() for _ in range(PUSHERS)))
        return pushed
    for batch in chunks(numbered(jobs), BATCH):
        done = adapter.enqueue_many(batch)
        if done is not None:
            await done
        pushed += len(batch)
        if time.monotonic() > ends:
            break
    return pushed


async def enqueue(adapter: Adapter, plan: Plan) -> Result:
    """One push after the other."""
    return await _rate(plan, _pushing(adapter, plan, 1))


async def enqueue_64(adapter: Adapter, plan: Plan) -> Result:
    """Pushes from 64 tasks, or from 64 threads where the calls are plain."""
    if inspect.isawaitable(pushed := adapter.enqueue(0, 0)):
        await pushed
        return await _rate(plan, _pushing(adapter, plan, PUSHERS))
    with ThreadPoolExecutor(PUSHERS) as threads:
        return await _rate(plan, _pushing_in_threads(adapter, plan, threads))


def _pushing(adapter: Adapter, plan: Plan, tasks: int) -> Callable[[], Any]:
    numbers = count()

    async def push(ends: float) -> int:
        pushed = 0
        while time.monotonic() < ends and pushed * tasks < MOST:
            for _ in range(10):  # so that looking at the clock does not count
                done = adapter.enqueue(next(numbers), 0)
                if done is not None:
                    await done
            pushed += 10
        return pushed

    async def push_all() -> int:
        ends = time.monotonic() + plan.seconds
        return sum(await asyncio.gather(*(push(ends) for _ in range(tasks)))) if tasks > 1 else await push(ends)

    return push_all


def _pushing_in_threads(adapter: Adapter, plan: Plan, threads: ThreadPoolExecutor) -> Callable[[], Any]:
    numbers = count()

    def push(ends: float) -> int:
        pushed = 0
        while time.monotonic() < ends and pushed * PUSHERS < MOST:
            adapter.enqueue(next(numbers), 0)
            pushed += 1
        return pushed

    async def push_all() -> int:
        loop, ends = asyncio.get_running_loop(), time.monotonic() + plan.seconds
        return sum(await asyncio.gather(*(loop.run_in_executor(threads, push, ends) for _ in range(PUSHERS))))

    return push_all


async def enqueue_batch(adapter: Adapter, plan: Plan) -> Result:
    """Pushes of a thousand jobs."""

    async def push_all() -> int:
        assert adapter.enqueue_many is not None
        ends, pushed = time.monotonic() + plan.seconds, 0
        while time.monotonic() < ends and pushed < MOST:
            done = adapter.enqueue_many(numbered(BATCH, pushed))
            if done is not None:
                await done
            pushed += BATCH
        return pushed

    return await _rate(plan, push_all)


async def _rate(plan: Plan, push_all: Callable[[], Any]) -> Result:
    gc.collect()
    meter, began = Meter(plan.server), time.monotonic()
    jobs = await push_all()
    seconds = time.monotonic() - began
    return {"rate": jobs / seconds, "jobs": jobs, "seconds": seconds, **meter.spent(jobs)}


async def drain(adapter: Adapter, plan: Plan) -> Result:
    """A worker on jobs that wait: from the start of the first to the acknowledgement of the last."""
    wanted = max(200, int(adapter.jobs * plan.seconds))
    if adapter.pause:
        wanted = min(wanted, int(20_000 * plan.seconds))
    jobs = await fill(adapter, wanted, 4 * PATIENCE * plan.seconds)
    gc.collect()
    probe = adapter.probe
    await adapter.work()
    gives_up = time.monotonic() + 10 + PATIENCE * plan.seconds
    while not probe.handled and time.monotonic() < gives_up:
        await asyncio.sleep(0.000_2)
    meter, before = Meter(plan.server), probe.handled
    while (probe.handled < jobs or await adapter.unfinished()) and time.monotonic() < gives_up:
        await asyncio.sleep(0.001)
    done = min(probe.handled, jobs)
    if not done:
        raise RuntimeError("no job began")
    seconds = (time.monotonic_ns() - probe.began) / 1e9
    spent = meter.spent(max(done - before, 1))
    return {"rate": done / seconds, "jobs": done, "seconds": seconds, **spent}


async def size(adapter: Adapter, plan: Plan) -> Result:
    """Bytes for each of many waiting jobs."""
    await fill(adapter, 10, 1)
    gc.collect()
    gc.disable()
    before = await adapter.size()
    jobs = await fill(adapter, max(2_000, min(adapter.jobs, 100_000)), PATIENCE * plan.seconds)
    return {"bytes": (await adapter.size() - before) / jobs, "jobs": jobs}


async def growth(adapter: Adapter, plan: Plan) -> Result:
    """One job in and out again, beside so many that wait and so many that run."""
    waiting = await fill(adapter, plan.waiting + plan.running, 15)
    if waiting < plan.waiting + plan.running:
        return {"gave_up": f"{waiting} jobs were in after 15 s"}
    if plan.running:
        await adapter.hold(plan.running)
    gc.collect()
    gc.freeze()
    await adapter.cycle(10)
    ends, times = time.monotonic() + plan.seconds, 0
    began, step = time.perf_counter(), 1
    while time.monotonic() < ends:
        await adapter.cycle(step)
        times += step
        step = min(100, 2 * step)
    return {"ns": (time.perf_counter() - began) / times * 1e9, "jobs": times}


async def start(adapter: Adapter, _plan: Plan) -> Result:
    """Seconds to import it, beyond those that Python takes to start."""
    seconds = []
    for _ in range(3):
        bare, full = _run("pass"), _run(adapter.imports)
        seconds.append(full - bare)
    return {"seconds": sorted(seconds)[1]}


def _run(program: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - began
