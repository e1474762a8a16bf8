"""The plots: time for one operation, over the number of jobs, on logarithmic axes.

What does not grow is level; what is O(log n) rises by less and less; what is O(n) goes up at 45 degrees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from bench.results import CORE, FLOOR, Row, Run

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

STYLE: dict[str, Any] = {
    "axes.edgecolor": "#999999",
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "font.size": 9,
    "grid.color": "#e5e5e5",
    "legend.frameon": False,
    "svg.hashsalt": "jobcore",  # the same run gives the same file
}
ORANGE, BLUES, GREY = "#d55e00", ("#7fb8de", "#2b7bba", "#08306b"), "#777777"
VERBS = ("push", "pop", "heartbeat", "complete", "info", "one in flight", "push_many", "pop_many")
KINDS = {"jobcore": BLUES[1], "asyncio": ORANGE, "heapq": GREY, CORE: "black"}


def draw_all(run: Run, into: Path) -> None:
    """Each plot as SVG."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        for name, draw in (("verbs", draw_verbs), ("floor", draw_floor), ("implementations", draw_implementations)):
            draw(run)
            plt.savefig(into / f"{name}.svg", metadata={"Date": None})
            plt.close()


def draw_verbs(run: Run) -> None:
    """A small plot for each operation, all on the same axes."""
    figure, axes = plt.subplots(2, 4, figsize=(10, 5.4), sharex=True, sharey=True, layout="constrained")
    for axis, verb in zip(axes.flat, VERBS, strict=True):
        axis.set_title(verb)
        rows = run.group(verb)
        for running, colour in zip(sorted({row.info["running"] for row in rows}), BLUES, strict=False):
            line(axis, [row for row in rows if row.info["running"] == running], f"beside {running:,} running", colour)
        floor = [row for row in run.group(f"core: {verb}") if row.info["waiting"] and not row.info["running"]]
        if floor:
            line(axis, floor, f"{CORE}, beside none", ORANGE, style=":", band=False)
        log_axes(axis)
    for axis in axes[1]:
        axis.set_xlabel("waiting jobs")
    for axis in axes[:, 0]:
        axis.set_ylabel("one operation")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def draw_floor(run: Run) -> None:
    """A dot for each contestant and size; the further left, the faster."""
    rows = run.group(FLOOR)
    sizes = sorted({row.info["waiting"] for row in rows})
    names = [row.info["contestant"] for row in rows if row.info["waiting"] == sizes[0]]
    figure, axis = plt.subplots(figsize=(9, 3.2), layout="constrained")
    for place, name in enumerate(reversed(names)):
        mine = {row.info["waiting"]: row for row in rows if row.info["contestant"] == name}
        colour = next(colour for kind, colour in KINDS.items() if name.startswith(kind))
        axis.plot([mine[size].median for size in sizes], [place] * len(sizes), color=colour, linewidth=1, zorder=2)
        for size in sizes:
            row = mine[size]
            fill = colour if size else "white"
            axis.plot(row.median, place, "o", color=colour, markerfacecolor=fill, markersize=7, zorder=3)
            left = row.median == min(each.median for each in mine.values())
            axis.annotate(
                f"{row.median:,.0f} ns",
                (row.median, place),
                (-8 if left else 8, 0),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                fontsize=8,
                color=colour,
            )
    axis.set_yticks(range(len(names)), list(reversed(names)))
    axis.set_ylim(-0.6, len(names) - 0.4)
    axis.set_xscale("log")
    low, high = min(row.median for row in rows), max(row.median for row in rows)
    axis.set_xlim(low / 2, high * 2)
    axis.xaxis.set_major_formatter(FuncFormatter(unit))
    axis.xaxis.set_minor_formatter(NullFormatter())
    title = f"One job in and out again: beside no other job (hollow) and beside {sizes[-1]:,} (full)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)


def draw_implementations(run: Run) -> None:
    """A small plot for each operation of the index."""
    verbs = ("insert", "pop", "heartbeat", "remove")
    figure, axes = plt.subplots(1, 4, figsize=(10, 3.2), sharex=True, sharey=True, layout="constrained")
    for axis, verb in zip(axes.flat, verbs, strict=True):
        axis.set_title(verb)
        rows = run.group(f"index: {verb}")
        for name, colour in (("plain Python", ORANGE), ("compiled", BLUES[1])):
            line(axis, [row for row in rows if row.info["implementation"] == name], name, colour)
        log_axes(axis)
        axis.set_xlabel("waiting jobs")
    axes[0].set_ylabel("one operation")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)


def line(axis: Axes, rows: list[Row], label: str, colour: str, *, style: str = "-", band: bool = True) -> None:
    """Medians, and a band from the first to the third quartile."""
    sizes = [row.info["waiting"] for row in rows]
    axis.plot(sizes, [row.median for row in rows], style, marker="o", markersize=3.5, color=colour, label=label)
    if band:
        axis.fill_between(sizes, [row.q1 for row in rows], [row.q3 for row in rows], color=colour, alpha=0.15, lw=0)


def log_axes(axis: Axes) -> None:
    """Both logarithmic, with the sizes and the units spelled out."""
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.xaxis.set_major_locator(LogLocator(100))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(unit))
    axis.yaxis.set_minor_formatter(NullFormatter())


def unit(nanoseconds: float, _: object = None) -> str:
    """As short as it can be said."""
    for size, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= size:
            return f"{nanoseconds / size:g} {name}"
    return f"{nanoseconds:g} ns"
