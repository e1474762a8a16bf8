"""The compiled index against its twin in plain Python, which is there to be right; both through `JobIndex`.

The twin looks at every job at each call, so its sizes end early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import pytest

from bench.loads import OPS, RUNNER, SMOKE, WAITING, power, without_collection
from jobcore.memory import _pyindex

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.conftest import Measure

compiled = pytest.importorskip("jobcore.memory._index", exc_type=ImportError)

QUEUE = "default"
LEASE = 10**12
NOW = 10**9
TWIN_SIZES = (10,) if SMOKE else (10, 100, 1_000)
SIZES = sorted({*TWIN_SIZES, *WAITING})


class Index(Protocol):
    """What either offers, as far as it is used here."""

    def insert(self, job_id: UUID, handle: Any, *, due: int, lease: int, priority: int = 0) -> bool: ...
    def pop(self, queue: str, runner_id: UUID, wall: int, monotonic: int) -> tuple[UUID, Any, int, int, int] | None: ...
    def heartbeat(self, job_id: UUID, runner_id: UUID, monotonic: int, delivery: int | None = None) -> None: ...
    def remove(self, job_id: UUID, runner_id: UUID | None = None, delivery: int | None = None) -> Any: ...


class Filled:
    """An index with `size` due jobs, of which a few run."""

    def __init__(self, make: Callable[[], Index], size: int) -> None:
        self.index = make()
        self.size = size
        self.made = 0
        with without_collection():
            for job_id in self.ids(size):
                self.insert(job_id)

    def ids(self, count: int) -> list[UUID]:
        """So many new ids, spread over all bits like those of version 7 over their tails."""
        start, self.made = self.made, self.made + count
        return [UUID(int=number << 64 | (number * 0x9E3779B97F4A7C15) % 2**64) for number in range(start, self.made)]

    def insert(self, job_id: UUID) -> None:
        self.index.insert(job_id, None, due=job_id.int >> 64, lease=LEASE)

    def take(self, count: int) -> list[UUID]:
        """Pop so many."""
        taken = [self.index.pop(QUEUE, RUNNER, NOW, 0) for _ in range(count)]
        return [facts[0] for facts in taken if facts is not None]

    def replace(self, ids: list[UUID]) -> None:
        """Remove these, and insert as many."""
        for job_id in ids:
            self.index.remove(job_id)
        for job_id in self.ids(len(ids)):
            self.insert(job_id)


@pytest.fixture(
    scope="module",
    params=[("compiled", size) for size in SIZES] + [("python", size) for size in TWIN_SIZES],
    ids=lambda param: f"{param[0]}-{power(param[1])}",
)
def filled(request: pytest.FixtureRequest) -> Filled:
    name, size = request.param
    return Filled(compiled.JobIndex if name == "compiled" else _pyindex.JobIndex, size)


@pytest.fixture
def info(filled: Filled) -> dict[str, Any]:
    name = "compiled" if isinstance(filled.index, compiled.JobIndex) else "plain Python"
    return {
        "implementation": name,
        "waiting": filled.size,
        "reference": name == "compiled",
        "rounds": 500 if name == "compiled" else 10,
    }


@pytest.fixture
def ops(filled: Filled) -> int:
    """Calls in a unit; no more than there are jobs."""
    return min(OPS, filled.size)


@pytest.mark.benchmark(group="index: insert")
def test_insert(filled: Filled, info: dict[str, Any], ops: int, measure: Measure) -> None:
    inserted: list[UUID] = []

    def prepare() -> list[UUID]:
        for job_id in inserted:
            filled.index.remove(job_id)
        inserted[:] = filled.ids(ops)
        return inserted

    def unit(ids: list[UUID]) -> None:
        for job_id in ids:
            filled.insert(job_id)

    measure(unit, prepare, ops=ops, **info)
    for job_id in inserted:
        filled.index.remove(job_id)


@pytest.mark.benchmark(group="index: pop")
def test_pop(filled: Filled, info: dict[str, Any], ops: int, measure: Measure) -> None:
    taken: list[UUID] = []

    def unit(_: None) -> None:
        taken[:] = filled.take(ops)

    measure(unit, lambda: filled.replace(taken), ops=ops, **info)
    filled.replace(taken)


@pytest.mark.benchmark(group="index: heartbeat")
def test_heartbeat(filled: Filled, info: dict[str, Any], ops: int, measure: Measure) -> None:
    taken = filled.take(ops)

    def unit(_: None) -> None:
        for job_id in taken:
            filled.index.heartbeat(job_id, RUNNER, 0, 1)

    measure(unit, lambda: None, ops=ops, **info)
    filled.replace(taken)


@pytest.mark.benchmark(group="index: remove")
def test_remove(filled: Filled, info: dict[str, Any], ops: int, measure: Measure) -> None:
    def prepare() -> list[UUID]:
        for job_id in filled.ids(filled.size - len(filled.index)):  # type: ignore[arg-type]
            filled.insert(job_id)
        return filled.take(ops)

    def unit(ids: list[UUID]) -> None:
        for job_id in ids:
            filled.index.remove(job_id, RUNNER, 1)

    measure(unit, prepare, ops=ops, **info)
