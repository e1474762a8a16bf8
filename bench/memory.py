"""Grow by so many jobs, and print as JSON how many bytes each of them took: `python -m bench.memory jobs 1000000`."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from typing import Any

from bench.loads import LONG
from bench.resident import resident_memory
from jobcore import MemoryStorage, NewJobInfo

case, count = sys.argv[1], int(sys.argv[2])


def make(number: int) -> NewJobInfo:
    return NewJobInfo("job", {"number": number}, heartbeat_interval=LONG)


storage = MemoryStorage()
queue: asyncio.PriorityQueue[tuple[int, int, NewJobInfo]] = asyncio.PriorityQueue()
values: list[Any] = []
storage.push_nowait(make(0))  # what is allocated once
one = make(0)

gc.disable()
before = resident_memory()
if case == "jobs":
    for number in range(count):
        storage.push_nowait(make(number))
elif case == "one":
    for _ in range(count):
        storage.push_nowait(one)
elif case == "values":
    values = [make(number) for number in range(count)]
else:
    for number in range(count):
        queue.put_nowait((0, number, make(number)))
grown = resident_memory() - before

json.dump({"bytes_per_job": grown / count}, sys.stdout)
