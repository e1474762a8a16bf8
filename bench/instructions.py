"""How many instructions an operation takes, and in which part: a gate that a busy machine does not move.

Each operation runs n and 2n times in a process of its own under Valgrind's callgrind, all else alike; the difference,
divided by n, is what one call takes, without start-up and tear-down. Only plain calls are counted: the awaited forms
let their loop run by the clock, which stands almost still here. Neither caches nor branches are modelled, so this finds
what somebody added and not how fast it is.

`make bench-instructions` compares the totals with `instructions.json`, which holds a budget for each build of Python
and the compiler's major version; `make bench-instructions UPDATE=1` rewrites it. The extension modules must have their
symbols, so this has an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path

from bench.counted import OPERATIONS

CALLS = 4_000
TOLERANCE = 1.05
BUDGETS = Path(__file__).with_name("instructions.json")
TABLE = Path(__file__).parent / "results" / "instructions.md"

# The first that fits; by the name of the file that a function lies in, and by its own.
PARTS = [
    ("clock", r"", r"clock_gettime|(system|steady)_clock::now"),
    ("allocation", r"^libc\b", r"malloc|free|calloc|^_int_|unlink_chunk|tcache|memalign"),
    ("allocation", r"^libstdc", r"^operator (new|delete)"),
    (
        "allocation",
        r"python",
        r"^_?PyObject_(Malloc|Free|Calloc)|^_?PyMem_|^pymalloc_|_GC_(Link|Del|Malloc)|GenericAlloc",
    ),
    ("database", r"sqlite", r""),
    ("driver", r"^(protocol|pgproto|record)\.", r""),
    ("event loop", r"^_(asyncio|queue)\.", r""),
    ("ids", r"^_native\.", r""),
    ("values", r"^(_new|_job|_returned|_checks|_json|_core)\.", r""),
    ("crossing", r"^(_calls|_index)\.", r"^(__pyx|__Pyx)"),
    ("index", r"^(_calls|_index)\.", r"jobcore::|std::|^operator|^__gnu"),
    ("index", r"^libstdc", r"_Rb_tree|_Hash|_Prime"),
    ("crossing", r"^(_calls|_index)\.", r""),
    ("interpreter", r"^(lib)?python", r""),
    ("other", r"", r""),
]
NAMES = ("interpreter", "crossing", "ids", "values", "index", "clock", "allocation", "other")
BEYOND = ("event loop", "database", "driver")
"""Parts that only whole paths have (`profile.py`)."""

Costs = Counter[tuple[str, str]]


def part(place: tuple[str, str]) -> str:
    """Which part a function belongs to."""
    return next(name for name, file, function in PARTS if re.search(file, place[0]) and re.search(function, place[1]))


def read_costs(path: Path) -> Costs:
    """The instructions in each function itself, by (file, function)."""
    costs: Costs = Counter()
    file = function = ""
    inclusive = False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("ob="):
                file = line[3:].strip().rpartition("/")[2]
            elif line.startswith("fn="):
                function = line[3:].strip()
            elif line.startswith("calls="):
                inclusive = True  # the next line is what the function called took
            elif line[:1].isdigit():
                if not inclusive:
                    costs[file, function] += int(line.split()[1])
                inclusive = False
    return costs


def run(operation: str, calls: int) -> Costs:
    """The costs of a whole process that does the operation so many times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "callgrind.out")
        options = ["--tool=callgrind", "--quiet", "--compress-strings=no", "--compress-pos=no"]
        program = [sys.executable, "-m", "bench.counted", operation, str(calls), str(2 * CALLS)]
        command = ["valgrind", *options, f"--callgrind-out-file={path}", *program]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "0"})
        return read_costs(path)


def count(operation: str) -> tuple[dict[str, float], list[tuple[str, float]]]:
    """What one call takes by part, and the functions in which it spends most."""
    few, many = run(operation, CALLS), run(operation, 2 * CALLS)
    costs = {place: (many[place] - few[place]) / CALLS for place in many | few}
    parts = dict.fromkeys((*NAMES, *BEYOND), 0.0)
    for place, cost in costs.items():
        parts[part(place)] += cost
    most = sorted(costs.items(), key=lambda item: -item[1])
    return parts, [
        (f"{function.partition('(')[0]} ({part((file, function))})", cost) for (file, function), cost in most
    ]


def build() -> str:
    """What the numbers depend on, beside the code."""
    compiler = os.environ.get("CXX", "c++")
    version = subprocess.run([compiler, "-dumpversion"], check=True, capture_output=True, encoding="utf-8").stdout
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "optimised" if "--enable-optimizations" in options else "not optimised"
    python = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor} ({optimised})"
    return f"{python}, {compiler} {version.split('.')[0].strip()}, {platform.machine()}"


def table(counted: dict[str, dict[str, float]]) -> str:
    lines = [f"| operation | {' | '.join(NAMES)} | total |", "| --- |" + " ---: |" * (len(NAMES) + 1)]
    for operation, parts in counted.items():
        cells = [*(parts[name] for name in NAMES), sum(parts.values())]
        lines.append(f"| {operation} | " + " | ".join(f"{cell:,.0f}" for cell in cells) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the budget anew instead of comparing with it")
    parser.add_argument("--functions", type=int, default=0, help="show so many functions of each operation, too")
    arguments = parser.parse_args()
    name = build()
    counted = {}
    for operation in OPERATIONS:
        counted[operation], functions = count(operation)
        for function, cost in functions[: arguments.functions]:
            print(f"{operation:10} {cost:8.1f} {function}")
    print(f"\nInstructions for one call, {name}\n\n{table(counted)}\n")

    budgets = json.loads(BUDGETS.read_text("utf-8")) if BUDGETS.exists() else {}
    totals = {operation: round(sum(parts.values())) for operation, parts in counted.items()}
    if arguments.update:
        BUDGETS.write_text(json.dumps(budgets | {name: totals}, indent=2, sort_keys=True) + "\n", "utf-8")
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(f"# Instructions for one call\n\n{name}\n\n{table(counted)}\n", "utf-8")
        return 0
    if name not in budgets:
        print("There is no budget for this build; UPDATE=1 writes one.")
        return 2
    over = [operation for operation, total in totals.items() if total > budgets[name].get(operation, 0) * TOLERANCE]
    for operation, total in totals.items():
        budget = budgets[name].get(operation, 0)
        change = f"{total / budget - 1:+.1%}" if budget else "new"
        print(f"{operation:10} {total:6} of {budget:6}  {change}{'  over budget' if operation in over else ''}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
