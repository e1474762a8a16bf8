"""The charts: bars for the rates of each class, dots for the time from push to begin, lines for the growth.

All axes of figures are logarithmic: between peers lie factors, not differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from bench.loads import power
from bench.peers import report
from bench.peers.catalogue import CLASSES, GROWING, PEERS, Class, adapter_class
from bench.peers.summary import figure, slowest
from bench.plots import BLUES, GREY, ORANGE, STYLE, unit

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.peers.records import Records

OURS, THEIRS, LIMIT = BLUES[1], ORANGE, GREY


def draw_all(records: Records, into: Path) -> None:
    """Each chart as SVG."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        for one in CLASSES:
            if not report.measured(records, one):
                continue
            draw_rates(records, one)
            save(into / f"{one.name}.svg")
            for measure in report.PICKUPS:
                if measure in one.measures:
                    draw_pickup(records, one, measure)
                    save(into / f"{one.name}-{measure}.svg")
        draw_growth(records)
        save(into / "growth.svg")


def save(path: Path) -> None:
    plt.savefig(path, metadata={"Date": None})
    plt.close()


def colour(name: str) -> str:
    """Ours, what is no peer but a limit, and theirs."""
    kind = adapter_class(name)
    if "jobcore" in kind.title:
        return OURS
    return THEIRS if kind.is_peer else LIMIT


def names_of(records: Records, one: Class, measures: list[str]) -> list[str]:
    """Those of whom there is something to draw, the first on top."""
    found = [
        name
        for name in one.peers
        if any(figure(records, name, measure, field) for measure in measures for field in ("rate", "sustained"))
    ]
    return found[::-1]


def draw_rates(records: Records, one: Class) -> None:
    """A panel for each measure, a bar for each peer."""
    names = names_of(records, one, list(report.RATES))
    height = 1.2 + 0.27 * len(names)
    figure_, axes = plt.subplots(1, len(report.RATES), figsize=(12, height), sharey=True, layout="constrained")
    for axis, (measure, title) in zip(axes, report.RATES.items(), strict=True):
        axis.set_title(title)
        axis.set_xscale("log")
        tops = []
        for place, name in enumerate(names):
            found = figure(records, name, measure, "rate")
            if found is None:
                continue
            tops.append(found.high)
            axis.barh(place, found.median, height=0.72, color=colour(name), zorder=2)
            axis.plot([found.low, found.high], [place, place], color="black", linewidth=1, zorder=3)
            axis.annotate(
                report.number(found.median), (found.high, place), (4, 0), textcoords="offset points", va="center",
                fontsize=7.5,
            )  # fmt: skip
        if tops:
            axis.set_xlim(min(100, min(tops) / 2), max(tops) * 12)
        plain_axis(axis)
    set_names(axes[0], names)
    figure_.suptitle(f"{one.title}: jobs a second, more is better", x=0.01, ha="left", fontsize=11)


def draw_pickup(records: Records, one: Class, measure: str) -> None:
    """For each peer a line from the median to the slowest in a hundred, and in a thousand where that is known."""
    names = names_of(records, one, [measure])
    figure_, axes = plt.subplots(1, 2, figsize=(12, 1.4 + 0.27 * len(names)), sharey=True, layout="constrained")
    for axis, (phase, title) in zip(axes, (("idle", "idle"), ("loaded", "at 70 % of what it sustains")), strict=True):
        axis.set_title(title)
        axis.set_xscale("log")
        for place, name in enumerate(names):
            found = [figure(records, name, measure, phase, share, rising=False) for share in ("p50", "p99")]
            found.append(slowest(records, name, measure, phase))
            values = [one.median for one in found if one]
            axis.plot(values, [place] * len(values), color=colour(name), linewidth=2, zorder=2)
            for value, marker in zip(values, "o|x", strict=False):
                axis.plot(value, place, marker, color=colour(name), markersize=7, zorder=3)
            if values:
                axis.annotate(
                    f"{values[0]:.3g}", (values[0], place), (-7, 0), textcoords="offset points", ha="right",
                    va="center", fontsize=7.5,
                )  # fmt: skip
        low, high = axis.get_xlim()
        axis.set_xlim(low / 2, high)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ms"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    set_names(axes[0], names)
    title = f"{one.title}: from push to begin, {report.PICKUPS[measure]}; median (dot), p99 (bar), p99.9 (cross)"
    figure_.suptitle(title, x=0.01, ha="left", fontsize=11)


def set_names(axis: Axes, names: list[str]) -> None:
    axis.set_yticks(range(len(names)), [adapter_class(name).title for name in names])
    for label, name in zip(axis.get_yticklabels(), names, strict=True):
        if not adapter_class(name).against:
            label.set_fontweight("bold")
    axis.set_ylim(-0.6, len(names) - 0.4)


def plain_axis(axis: Axes) -> None:
    axis.xaxis.set_major_locator(LogLocator(10, numticks=12))
    axis.xaxis.set_major_formatter(FuncFormatter(short))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.tick_params(axis="x", labelsize=7.5)
    axis.grid(visible=False, axis="y")


def short(value: float, _: object = None) -> str:
    """1k, 1M."""
    for size, name in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"


def draw_growth(records: Records) -> None:
    """A panel for each class, a line for each peer and number of running jobs."""
    figure_, axes = plt.subplots(1, len(CLASSES), figsize=(12, 4.2), layout="constrained")
    for axis, one in zip(axes, CLASSES, strict=True):
        axis.set_title(one.title)
        axis.set_xscale("log")
        axis.set_yscale("log")
        others = iter((ORANGE, "#cc79a7", "#e69f00", "#777777"))
        for name in (name for name in GROWING if PEERS[name][0] is one):
            found = report.points(records, name)
            shades = iter(BLUES)
            rest = colour(name) if colour(name) == LIMIT else next(others)
            for running in sorted({held for _, held in found}):
                line = sorted((waiting, value) for (waiting, held), value in found.items() if held == running)
                label = adapter_class(name).title + (f", beside {power(running)} running" if running else "")
                shade = next(shades) if colour(name) == OURS else rest
                axis.plot(*zip(*line, strict=True), marker="o", markersize=4, color=shade, label=label)
        axis.set_xlabel("waiting jobs")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: power(int(value))))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: unit(1000 * value)))
        axis.yaxis.set_minor_formatter(NullFormatter())
        if axis.get_legend_handles_labels()[0]:
            low, high = axis.get_ylim()
            axis.set_ylim(low / 1.5, high * (high / low) ** 0.6 * 2)
            axis.legend(fontsize=7.5, loc="upper left")
    figure_.suptitle("One job in and out, beside so many others; level is what does not grow", x=0.01, ha="left",
                     fontsize=11)  # fmt: skip
