"""`measure` and the loads, for all benchmarks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

from bench.loads import OPS, SMOKE, running_loop
from jobcore import IMPLEMENTATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

T = TypeVar("T")

LOAD = " ".join(f"{load:.2f}" for load in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
"""Before the first benchmark."""


class Measure(Protocol):
    """Time `unit`, which is `ops` operations, on what `prepare` returns, which is not timed."""

    def __call__(
        self,
        unit: Callable[[T], object],
        prepare: Callable[[], T],
        *,
        ops: int = OPS,
        rounds: int = 500,
        **info: Any,
    ) -> Any: ...


@pytest.fixture
def measure(benchmark: BenchmarkFixture) -> Measure:
    """Times a unit in rounds; `info` says what it is, in the words that the report uses."""

    def run(
        unit: Callable[[T], object],
        prepare: Callable[[], T],
        *,
        ops: int = OPS,
        rounds: int = 500,
        **info: Any,
    ) -> Any:
        benchmark.extra_info |= {"ops": ops, **info}
        return benchmark.pedantic(  # type: ignore[no-untyped-call]
            unit, setup=lambda: ((prepare(),), {}), rounds=1 if SMOKE else rounds, warmup_rounds=0 if SMOKE else 5
        )

    return run


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """A running loop, as far as anything here can see."""
    with running_loop():
        yield


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """What the numbers depend on, beside what pytest-benchmark writes down by itself."""
    machine_info["jobcore"] = IMPLEMENTATION
    machine_info["load"] = LOAD


def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    """Leave out the single rounds."""
    for benchmark in output_json["benchmarks"]:
        del benchmark["stats"]["data"]
