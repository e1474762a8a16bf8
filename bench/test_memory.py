"""What a waiting job takes in memory: a million of them in a process of their own, which says how it grew."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.loads import MANY

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

CASES = {
    "jobs": "MemoryStorage, each job with arguments of its own",
    "one": "MemoryStorage, one NewJobInfo pushed again and again",
    "values": "a list of NewJobInfo, each with arguments of its own",
    "queue": "asyncio.PriorityQueue of (priority, number, NewJobInfo), as above",
}


@pytest.mark.benchmark(group="memory")
@pytest.mark.parametrize("case", CASES)
def test_memory(case: str, benchmark: BenchmarkFixture) -> None:
    command = [sys.executable, "-m", "bench.memory", case, str(MANY)]

    def grow() -> dict[str, float]:
        output = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
        grown: dict[str, float] = json.loads(output)
        return grown

    grown = benchmark.pedantic(grow)  # type: ignore[no-untyped-call]
    benchmark.extra_info |= {"case": CASES[case], "waiting": MANY, **grown}
