"""The hot paths that `profile.py` counts: `python -m bench.paths "memory: work" 2000 4000` does 2,000 of 4,000 jobs.

Each goes the whole way that a program goes: an `App`, its jobs, a `Worker`. What comes before the counted part is done
for all jobs. The process ends without tearing anything down. `BENCH_PLACE` names the storage: a folder or a database.
With `--bytecodes` it prints how many bytecodes were executed in each module, on all threads, from the beginning of the
counted part.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobcore import App, Worker
from jobcore.worker import _worker

if TYPE_CHECKING:
    from types import FrameType

AT_ONCE = 1000
"""Jobs that the worker holds; what is counted is a multiple of it."""
PATHS = {
    "memory: push": 2000,
    "memory: work": 2000,
    "SQLite: push": 300,
    "SQLite: push_many": 4000,
    "SQLite: work": 2000,
    "PostgreSQL: push": 300,
    "PostgreSQL: push_many": 4000,
    "PostgreSQL: work": 2000,
}
"""How many calls are counted."""

executed: Counter[str] = Counter()
_modules: dict[str, str] = {}


def module_of(path: str) -> str:
    """The module of this file, of the standard library and of others only the package."""
    if path not in _modules:
        parts = Path(path).with_suffix("").parts
        if "jobcore" in parts:
            at = len(parts) - 1 - parts[::-1].index("jobcore")
            _modules[path] = ".".join(parts[at:]).removesuffix(".__init__")
        else:
            known = next((part for part in parts if part in {"asyncio", "asyncpg", "bench"}), parts[-1])
            _modules[path] = "the benchmark" if known == "bench" else known
    return _modules[path]


def trace(frame: FrameType, event: str, _: object) -> Any:
    """Count every bytecode."""
    if event == "call":
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
    elif event == "opcode":
        executed[module_of(frame.f_code.co_filename)] += 1
    return trace


def start_counting() -> None:
    threading.settrace(trace)
    sys.settrace(trace)
    frame: FrameType | None = sys._getframe()  # noqa: SLF001  (frames that are there already are not traced)
    while frame is not None:
        frame.f_trace, frame.f_trace_opcodes = trace, True
        frame = frame.f_back


async def go(path: str, calls: int, jobs: int, *, bytecodes: bool) -> None:
    kind, _, verb = path.partition(": ")
    place = os.environ.get("BENCH_PLACE", "")
    url = {"memory": "memory://", "SQLite": f"sqlite:///{place}/jobs.db", "PostgreSQL": place}[kind]
    app = App(url)
    left, done = calls, asyncio.Event()

    @app.job
    async def job(number: int, sent: int) -> None:  # noqa: ARG001
        nonlocal left
        left -= 1
        if not left:
            done.set()

    if bytecodes and kind != "memory":
        threading.settrace(trace)  # the thread of the storage starts with its first call
    async with app:
        await job.push_many([(0, 0)] * AT_ONCE)
        if verb == "work":
            await job.push_many([(number, 0) for number in range(jobs)])
        executed.clear()
        if bytecodes:
            start_counting()
        if verb == "push":
            for number in range(calls):
                await job.push(number, 0)
        elif verb == "push_many":
            for number in range(0, calls, AT_ONCE):
                await job.push_many([(each, 0) for each in range(number, number + AT_ONCE)])
        else:
            vars(_worker)["TURN"] = 1e9  # the clock stands almost still while instructions are counted
            async with Worker(app, {"default": AT_ONCE}):
                await done.wait()
                finish(bytecodes=bytecodes)
        finish(bytecodes=bytecodes)


def finish(*, bytecodes: bool) -> None:
    sys.settrace(None)
    if bytecodes:
        print(json.dumps(executed), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(go(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytecodes="--bytecodes" in sys.argv))
