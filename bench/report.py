"""Write what the benchmarks found: `python -m bench.report benchmarks.json core.json bench/results`.

A table (operations.md), the same numbers for programs (results.json), and the plots (`bench/plots.py`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from bench.loads import power
from bench.plots import draw_all
from bench.results import Row, Run, read_run

Column = tuple[str, Callable[[Row], str]]


def duration(nanoseconds: float) -> str:
    """Three digits, and a thin space between thousands."""
    digits = 1 if nanoseconds < 100 else 0  # noqa: PLR2004
    return f"{nanoseconds:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def ratio(row: Row) -> str:
    return "" if row.ratio is None else f"{row.ratio:,.2f}"


TIMES: list[Column] = [
    ("median, ns", lambda row: duration(row.median)),
    ("middle half, ns", lambda row: f"{duration(row.q1)} to {duration(row.q3)}"),
]
WAITING: Column = ("waiting", lambda row: power(row.info["waiting"]))
RUNNING: Column = ("running", lambda row: power(row.info["running"]))


def table(rows: list[Row], columns: list[Column]) -> str:
    heads = [head for head, _ in columns]
    lines = ["| " + " | ".join(heads) + " |"]
    lines.append("|" + "|".join(" --- " if head in {"what", "operation"} else " ---: " for head in heads) + "|")
    lines += ["| " + " | ".join(cell(row) for _, cell in columns) + " |" for row in rows]
    return "\n".join(lines)


def groups(run: Run, names: list[str]) -> list[Row]:
    return [row for name in names for row in run.group(name)]


def floor(run: Run) -> str:
    columns: list[Column] = [("what", lambda row: row.info["contestant"]), WAITING, *TIMES]
    rows = run.group("floor")
    return table(rows, [*columns, ("against `await` on PriorityQueue", ratio)])


def verbs(run: Run) -> str:
    names = ["push", "pop", "heartbeat", "complete", "info", "one in flight", "push_many", "pop_many"]
    columns: list[Column] = [("operation", lambda row: row.group), WAITING, RUNNING, *TIMES]
    return table(groups(run, names), [*columns, ("against the smallest", ratio)])


def core(run: Run) -> str:
    names = [f"core: {name}" for name in ("push", "pop", "heartbeat", "complete", "one in flight")]
    columns: list[Column] = [("operation", lambda row: row.group.removeprefix("core: ")), WAITING, RUNNING, *TIMES]
    return table(groups(run, names), columns)


def implementations(run: Run) -> str:
    names = [f"index: {name}" for name in ("insert", "pop", "heartbeat", "remove")]
    columns: list[Column] = [
        ("operation", lambda row: row.group.removeprefix("index: ")),
        ("what", lambda row: row.info["implementation"]),
        WAITING,
        *TIMES,
    ]
    return table(groups(run, names), [*columns, ("against compiled", ratio)])


def extremes(run: Run) -> str:
    names = ["one in flight, future jobs in front", "pop, jobs come due", "look, leases run out"]
    columns: list[Column] = [
        ("operation", lambda row: row.group.split(",")[0]),
        ("what", lambda row: row.info["case"]),
        *TIMES,
    ]
    return table(groups(run, names), [*columns, ("against an ordinary day", ratio)])


def memory(run: Run) -> str:
    columns: list[Column] = [
        ("what", lambda row: row.info["case"]),
        ("bytes for each", lambda row: f"{row.info['bytes_per_job']:.0f}"),
    ]
    return table(run.group("memory"), columns)


def page(run: Run) -> str:
    environment = "\n".join(f"- {name}: {value}" for name, value in run.environment.items())
    return f"""# What our own operations cost

Written by `make bench`. Times are for one operation, over the rounds of one run; "middle half" is from the first to the
third quartile. Ratios are to a reference in the same run, and say more than the times do. What no other work on the
machine can blur is counted in [instructions](instructions.md).

{environment}

## One job in flight, by whatever means

The way in and out again, beside no other job and beside many.

![One job in flight](floor.svg)

{floor(run)}

## The operations, by the number of jobs

Awaited, on a `MemoryStorage`; the `_many` forms for each job of a batch of 50.

![Operations by the number of jobs](verbs.svg)

{verbs(run)}

## The C++ index alone

{core(run)}

## The index, compiled and in plain Python

![Both implementations](implementations.svg)

{implementations(run)}

## What makes a queue stall

By plain calls, with a clock in Python that is set by hand.

{extremes(run)}

## Memory

How much a process grew, for each of many jobs.

{memory(run)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmarks", type=Path)
    parser.add_argument("core", type=Path)
    parser.add_argument("into", type=Path)
    arguments = parser.parse_args()
    run = read_run(arguments.benchmarks, arguments.core)
    into: Path = arguments.into
    into.mkdir(parents=True, exist_ok=True)
    (into / "operations.md").write_text(page(run), "utf-8")
    rows = [{"group": row.group, "info": row.info, "ns": [row.q1, row.median, row.q3]} for row in run.rows]
    document = {"environment": run.environment, "rows": rows}
    (into / "results.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    draw_all(run, into)


if __name__ == "__main__":
    main()
