"""How soon a job begins: from the moment before it is pushed to the moment at which its function is called.

In one process, or in two: a producer, which has the clock, and a worker. Three phases: as many jobs as can be, with no
more than `WINDOW` of them under way, which gives the *sustained* rate of both ends together; then few jobs, one by one
at random moments, at a worker with nothing else to do; then 70 % of the sustained rate, so that the fast carry more.
Jobs come when their time has come, whether or not those before them are done, so a stall is felt by all the jobs that
it delays.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import mmap
import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peers.adapter import HANDLED, READY, STOP, Probe
from bench.peers.measures import PUSHERS, Plan, Result, call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from bench.peers.adapter import Adapter

WINDOW = 1000
IDLE_RATE = 200.0
"""Jobs a second to an idle worker, unless that is more than a twentieth of what it can do."""
IDLE_SECONDS = 1.7
"""For a measurement of a second: three of them tell the slowest in a thousand."""
LOAD = 0.7
SLOWEST = 10
"""So many are kept of each run, so that a few short runs together tell the slowest in a thousand."""


@contextlib.contextmanager
def shared_memory(path: str | None) -> Iterator[memoryview]:
    """Numbers of 64 bits, in a file if another process is to see them."""
    with contextlib.ExitStack() as stack:
        if path:
            file = stack.enter_context(Path(path).open("r+b"))
            memory = mmap.mmap(file.fileno(), 64)
        else:
            memory = mmap.mmap(-1, 64)
        yield memoryview(memory).cast("q")


async def in_one_process(adapter: Adapter, plan: Plan) -> Result:
    """Producer and worker on one loop."""
    await adapter.work()
    phases = await _produce(adapter, plan)
    return _told(phases, adapter.probe.pickups)


async def in_two_processes(adapter: Adapter, plan: Plan, command: list[str]) -> Result:
    """The worker in a process of its own, which `command` starts."""
    with tempfile.TemporaryDirectory() as folder:
        shared, records = Path(folder, "shared"), Path(folder, "records")
        shared.write_bytes(bytes(64))
        with shared_memory(str(shared)) as memory:
            adapter.probe = Probe(memory)
            process = subprocess.Popen([*command, "--shared", str(shared), "--records", str(records)])
            try:
                while not memory[READY] and process.poll() is None:
                    await asyncio.sleep(0.01)
                phases = await _produce(adapter, plan)
            finally:
                memory[STOP] = 1
            process.wait(30)
        lines = records.read_text("ascii").split()
    pairs = iter(map(int, lines))
    return _told(phases, list(zip(pairs, pairs, strict=True)))


async def work(adapter: Adapter, records: str) -> None:
    """The other process."""
    shared = adapter.probe.shared
    await adapter.work()
    shared[READY] = 1
    while not shared[STOP]:
        await asyncio.sleep(0.02)
    text = "\n".join(f"{sent} {began}" for sent, began in adapter.probe.pickups)
    Path(records).write_text(text, "ascii")


async def _produce(adapter: Adapter, plan: Plan) -> dict[str, Any]:
    probe = adapter.probe
    pushed = 0

    async def push(moments: AsyncIterator[None]) -> None:
        nonlocal pushed
        async for _ in moments:
            pushed += 1
            await call(adapter, pushed, time.monotonic_ns())

    async def settle() -> None:
        ends = time.monotonic() + 10
        while probe.handled < pushed and time.monotonic() < ends:
            await asyncio.sleep(0.002)

    async def phase(rate: float, seconds: float, pushers: int) -> dict[str, Any]:
        due = _arrivals(rate, time.monotonic() + seconds)
        began, before = time.monotonic_ns(), pushed
        await asyncio.gather(*(push(_moments(due)) for _ in range(pushers)))
        took = time.monotonic_ns() - began
        await settle()
        return {"from": began, "to": began + took, "rate": (pushed - before) / took * 1e9}

    ends = time.monotonic() + 0.3  # warm
    await asyncio.gather(*(push(_window(probe, lambda: pushed, ends)) for _ in range(PUSHERS)))
    await settle()
    ends = time.monotonic() + 0.7 * plan.seconds
    began, before = time.monotonic(), probe.handled
    await asyncio.gather(*(push(_window(probe, lambda: pushed, ends)) for _ in range(PUSHERS)))
    await settle()
    sustained = (probe.handled - before) / (time.monotonic() - began)
    if not sustained:
        raise RuntimeError("no job began")
    idle = await phase(min(IDLE_RATE, sustained / 20), IDLE_SECONDS * plan.seconds, 1)
    loaded = await phase(LOAD * sustained, plan.seconds, PUSHERS)
    return {"sustained": sustained, "idle": idle, "loaded": loaded}


async def _window(probe: Probe, pushed: Any, ends: float) -> AsyncIterator[None]:
    while time.monotonic() < ends:
        if pushed() - probe.shared[HANDLED] < WINDOW:
            yield
            if not pushed() % 64:
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(0.000_5)


def _arrivals(rate: float, ends: float) -> Iterator[float]:
    """Moments at random, so many a second, the same in every run."""
    chance = random.Random(7)
    at = time.monotonic()
    while (at := at + chance.expovariate(rate)) < ends:
        yield at


async def _moments(due: Iterator[float]) -> AsyncIterator[None]:
    for at in due:
        await asyncio.sleep(max(0, at - time.monotonic()))  # 0 lets the worker have its turn
        yield


def _told(phases: dict[str, Any], pickups: list[tuple[int, int]]) -> Result:
    result: Result = {"sustained": phases["sustained"]}
    for name in ("idle", "loaded"):
        phase = phases[name]
        waits = sorted(began - sent for sent, began in pickups if phase["from"] <= sent <= phase["to"])
        result[name] = {"rate": phase["rate"], "jobs": len(waits)}
        result[name]["slowest"] = [wait / 1e6 for wait in waits[-SLOWEST:]]
        for share in (0.5, 0.99, 0.999):
            if waits:
                result[name][f"p{100 * share:g}"] = waits[math.ceil(share * len(waits)) - 1] / 1e6
    return result
