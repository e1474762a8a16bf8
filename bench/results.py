"""What a run of the benchmarks found, for the table and the plots: one `Row` for each benchmark.

A time is the median over the rounds, divided by the operations in a round; beside it stand the quartiles. A ratio is to
the reference of the group, measured in the same run: the benchmark that is marked so, of the same size if there is one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CORE = "C++ index alone"
FLOOR = "floor"


@dataclass
class Row:
    """One benchmark; times in nanoseconds."""

    group: str
    info: dict[str, Any]
    median: float
    q1: float
    q3: float
    ratio: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Waiting and running jobs."""
        return (self.info.get("waiting", 0), self.info.get("running", 0))


@dataclass
class Run:
    """All of a run."""

    environment: dict[str, str]
    rows: list[Row]

    def group(self, name: str) -> list[Row]:
        """The rows of a group, smaller sizes first."""
        return sorted((row for row in self.rows if row.group == name), key=lambda row: row.size)


def read_run(benchmarks: Path, core: Path) -> Run:
    """What pytest-benchmark and `bench_index` wrote down."""
    document = json.loads(benchmarks.read_text("utf-8"))
    rows = [_row(benchmark) for benchmark in document["benchmarks"]]
    floor_sizes = {row.size for row in rows if row.group == FLOOR}
    for entry in json.loads(core.read_text("utf-8")):
        row = Row(f"core: {entry['group']}", entry, entry["median"], entry["q1"], entry["q3"])
        rows.append(row)
        if entry["group"] == "one in flight" and row.size in floor_sizes:
            info = {"contestant": f"{CORE}: insert, pop, remove", "waiting": entry["waiting"]}
            rows.append(Row(FLOOR, info, row.median, row.q1, row.q3))
    for row in rows:
        row.ratio = _ratio(row, rows)
    return Run(_environment(document), rows)


def _row(benchmark: dict[str, Any]) -> Row:
    info, stats = benchmark["extra_info"], benchmark["stats"]
    scale = 1e9 / info.get("ops", 1)
    times = [stats[name] * scale for name in ("median", "q1", "q3")]
    return Row(benchmark["group"], info, *times)


def _ratio(row: Row, rows: list[Row]) -> float | None:
    references = [other for other in rows if other.group == row.group and other.info.get("reference")]
    if not references:
        return None
    same = [other for other in references if other.size == row.size]
    return row.median / (same or references)[0].median


def _environment(document: dict[str, Any]) -> dict[str, str]:
    machine, commit = document["machine_info"], document["commit_info"]
    changed = ", with changes" if commit.get("dirty") else ""
    return {
        "jobcore": f"{machine['jobcore']}, commit {str(commit.get('id'))[:9]}{changed}",
        "Python": f"{machine['python_implementation']} {machine['python_version']} ({machine['python_compiler']})",
        "machine": f"{machine['cpu'].get('brand_raw', 'unknown')}, {machine['machine']}, {machine['system']}",
        "CPUs": str(machine["cpu"]["count"]),
        "load average before": machine["load"],
        "date": document["datetime"][:10],
    }
