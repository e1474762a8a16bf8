"""What the comparisons of `bench/contrib` share: two ways to do the same, in turns, and the page of what was found.

A way is called with nothing, does its work once, and returns its figure: how much it did in a second, or how long one
piece took. Ways are measured in turns, A B A B, so that what else the machine does strikes both.
"""

from __future__ import annotations

import gc
import math
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import jobcore
from bench.peers.records import commit, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESULTS = Path(__file__).parents[1] / "results" / "contrib"


@dataclass
class Comparison:
    """A line of the page: what theirs and ours need for the same."""

    title: str
    unit: str
    more_is_better: bool
    theirs: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        ratio = median(self.ours) / median(self.theirs)
        return ratio if self.more_is_better else 1 / ratio


def compare(
    title: str,
    unit: str,
    theirs: Callable[[], float],
    ours: Callable[[], float],
    *,
    rounds: int = 7,
    more_is_better: bool = True,
) -> Comparison:
    """Measure both in turns, after one turn that does not count."""
    found = Comparison(title, unit, more_is_better)
    for number in range(rounds + 1):
        for way, values in ((theirs, found.theirs), (ours, found.ours)):
            gc.collect()
            value = way()
            if number:
                values.append(value)
    print(_row(found))
    return found


def write_page(name: str, title: str, distributions: Sequence[str], found: Sequence[Comparison], *notes: str) -> None:
    """The page `bench/results/contrib/<name>.md`: a table, and what it was made with."""
    versions = ", ".join(f"{one} {version(one)}" for one in distributions)
    told = machine()
    lines = [
        f"# {title}",
        "",
        f"Made by `python -m bench.contrib.{name}`: {versions};",
        f"jobcore at commit {commit()} ({jobcore.IMPLEMENTATION}); Python {platform.python_version()};",
        f"{told['CPUs']} CPUs, {told['machine']}.",
        "A cell is the median of the rounds, and in brackets the least and the most; the rounds of both were made in",
        "turns. The last column says how many times better jobcore is.",
        "",
        "| what | unit | before | with jobcore | better by |",
        "| --- | --- | ---: | ---: | ---: |",
        *map(_row, found),
        "",
        *(line for note in notes for line in (note, "")),
    ]
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join(lines), "utf-8")


def _row(found: Comparison) -> str:
    cells = [found.title, found.unit, _cell(found.theirs), _cell(found.ours), f"{found.ratio:.2f}"]
    return "| " + " | ".join(cells) + " |"


def _cell(values: Sequence[float]) -> str:
    return f"{_short(median(values))} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    digits = max(0, 2 - math.floor(math.log10(abs(value) or 1)))
    return f"{value:,.{digits}f}"
