"""Where a job's instructions go, on the whole way that a program goes: `make bench-profile`.

Each path of `paths.py` is run for n and for 2n jobs, all else alike, and the difference is divided by n: so start-up
and tear-down do not count. Under Valgrind that gives the instructions, by the binary and the function that they are in;
under a trace of Python it gives the bytecodes, by module, which say what "interpreter" is made of. The kernel is not in
it: what a commit waits for is in the comparisons. Which calls share a commit depends on the moment, so the paths of the
durable storages vary by some percents.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.instructions import BEYOND, NAMES, build, part, read_costs
from bench.paths import AT_ONCE, PATHS
from bench.peers.servers import Servers

PAGE = Path(__file__).parent / "results" / "profile.md"
PLACES = {"memory": "nothing", "SQLite": "folder", "PostgreSQL": "database"}
COLUMNS = (*NAMES[:-1], *BEYOND, NAMES[-1])
FEWEST = 5
"""Bytecodes for one job below which a module is not named."""


def run(servers: Servers, path: str, calls: int, jobs: int, *, bytecodes: bool) -> Counter[str]:
    """What a whole process takes: instructions by part, or bytecodes by module."""
    with servers.place(PLACES[path.partition(":")[0]]) as (place, _), tempfile.TemporaryDirectory() as folder:
        costs = Path(folder, "callgrind.out")
        valgrind = [
            "valgrind", "--tool=callgrind", "--quiet", "--compress-strings=no", "--compress-pos=no",
            f"--callgrind-out-file={costs}",
        ]  # fmt: skip
        command = [sys.executable, "-m", "bench.paths", path, str(calls), str(jobs)]
        told = subprocess.run(
            [*command, "--bytecodes"] if bytecodes else valgrind + command,
            check=True, stdout=subprocess.PIPE, env=os.environ | {"PYTHONHASHSEED": "0", "BENCH_PLACE": place},
        ).stdout  # fmt: skip
        if bytecodes:
            return Counter(json.loads(told))
        found: Counter[str] = Counter()
        for where, cost in read_costs(costs).items():
            found[part(where)] += cost
        return found


def count(servers: Servers, path: str, *, bytecodes: bool) -> dict[str, float]:
    """What one job takes."""
    calls = PATHS[path]
    jobs = 2 * calls + AT_ONCE
    few, many = (run(servers, path, times * calls, jobs, bytecodes=bytecodes) for times in (1, 2))
    return {name: (many[name] - few[name]) / calls for name in many | few}


def table(counted: dict[str, dict[str, float]]) -> str:
    lines = [f"| one job | {' | '.join(COLUMNS)} | total |", "| --- |" + " ---: |" * (len(COLUMNS) + 1)]
    for path, parts in counted.items():
        cells = [parts.get(name, 0) for name in COLUMNS] + [sum(parts.values())]
        lines.append(f"| {path} | " + " | ".join(f"{cell:,.0f}" if cell >= 1 else "" for cell in cells) + " |")
    return "\n".join(lines)


def modules(counted: dict[str, dict[str, float]]) -> str:
    lines = ["| one job | bytecodes | of these in |", "| --- | ---: | --- |"]
    for path, parts in counted.items():
        most = sorted(parts.items(), key=lambda item: -item[1])
        named = ", ".join(f"{name.removeprefix('jobcore.')} {cost:,.0f}" for name, cost in most if cost >= FEWEST)
        lines.append(f"| {path} | {sum(parts.values()):,.0f} | {named} |")
    return "\n".join(lines)


def page(instructions: dict[str, dict[str, float]], bytecodes: dict[str, dict[str, float]]) -> str:
    return f"""# Where a job's time goes

Written by `make bench-profile`, with {build()}.
Counted, not timed: what one job takes of the processor on the whole way from `job.push(...)`, or from the pop to the
completion in a `Worker` that holds {AT_ONCE} jobs, on each storage. `push` is one call after the other, `push_many` is
for each job of a batch of {AT_ONCE}.

## Instructions, by part

{table(instructions)}

- *interpreter* is CPython: our own Python, asyncio and the program's functions; what of it is whose is below.
- *crossing* is the Cython between Python and the index, *values* the compiled jobs, *ids* and *index* are C++, as is
  the *clock*; *allocation* is memory, for all of them. *database* is the library of SQLite with its module, *driver*
  that of asyncpg. What the kernel does, and a server of PostgreSQL, is not in it.

The floor of the memory paths is *index* and *ids*: what the C++ alone would take. The floor of the SQLite paths is
*database*, and that of the PostgreSQL paths *driver*. All else is the price of being called from Python.

## Bytecodes, by module

Exact for the memory paths. Modules of the standard library go by their own name, asyncio and asyncpg by that of the
package; `__init__` is logging.

{modules(bytecodes)}
"""


def main() -> None:
    with Servers() as servers:
        counted: list[dict[str, dict[str, float]]] = [{}, {}]
        for bytecodes in (False, True):
            for path in PATHS:
                counted[bytecodes][path] = count(servers, path, bytecodes=bytecodes)
                print(f"{path:24} {sum(counted[bytecodes][path].values()):10,.0f}", flush=True)
    PAGE.write_text(page(*counted), "utf-8")


if __name__ == "__main__":
    main()
