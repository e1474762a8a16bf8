"""The page: `bench/results/README.md`, out of what is in `bench/results/peers/` and out of nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.loads import power
from bench.peers import charts
from bench.peers.catalogue import CLASSES, GROWING, PEERS, Class, adapter_class, place_of
from bench.peers.records import RESULTS, Records
from bench.peers.summary import Figure, failure, figure, runs_of, slowest

if TYPE_CHECKING:
    from collections.abc import Callable

RATES = {
    "enqueue": "push, one by one",
    "enqueue-64": "push, 64 at once",
    "enqueue-batch": "push, 1000 a batch",
    "drain": "work, no-op",
    "drain-1ms": "work, 1 ms each",
}
PICKUPS = {"pickup-one": "in one process", "pickup-two": "producer and worker in two processes"}


def number(value: float) -> str:
    """Three digits of it, more before the point."""
    if value >= 1000:  # noqa: PLR2004
        digits = 3 - len(f"{value:.0f}")
        return f"{round(value, digits):,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.3g}"


def times(ratio: float) -> str:
    return f"{ratio:.2g}" if ratio < 10 else f"{ratio:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")  # noqa: PLR2004


def cell(one: Figure | None, *, span: bool = True) -> str:
    """The median, the range, and the ratio."""
    if one is None:
        return ""
    text = number(one.median)
    if span and one.high > one.low:
        text += f" ({number(one.low)} to {number(one.high)})"
    return text if one.ratio is None else f"{text} **{times(one.ratio)}\N{MULTIPLICATION SIGN}**"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Without the rows and columns in which there is nothing."""
    rows = [row for row in rows if any(row[1:])]
    kept = [place for place in range(len(heads)) if not place or any(row[place] for row in rows)]
    lines = ["| " + " | ".join(heads[place] for place in kept) + " |"]
    lines.append("|" + "|".join(" ---: " if place else " --- " for place in kept) + "|")
    lines += ["| " + " | ".join(row[place] for place in kept) + " |" for row in rows]
    return "\n".join(lines)


def titled(name: str) -> str:
    kind = adapter_class(name)
    return kind.title if kind.against else f"**{kind.title}**"


def each(one: Class, cells: Callable[[str], list[str]]) -> list[list[str]]:
    """A row for each peer."""
    return [[titled(name), *cells(name)] for name in one.peers]


def glance(records: Records) -> str:
    """Ours, the best of the others, and how far they are apart."""
    rows = []
    for one in CLASSES:
        for kind in dict.fromkeys(place_of(name) for name in one.peers):
            title = one.title + (" (Valkey, which keeps nothing)" if kind == "valkey" else "")
            peers = [name for name in one.peers if place_of(name) == kind and adapter_class(name).is_peer]
            rows += [_best(records, one, peers, f"{title}: {what}", *path) for what, path in _glances(one)]
    return table(["", "jobcore", "the best of the others", "", ""], [row for row in rows if row])


def _glances(one: Class) -> list[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, tuple[str, ...]]] = []
    found += [(f"{what}, jobs/s", (measure, "rate")) for measure, what in RATES.items()]
    for measure, where in PICKUPS.items():
        if measure in one.measures:
            found.append((f"sustained, {where}, jobs/s", (measure, "sustained")))
            found.append((f"push to begin when idle, {where}, p50 in ms", (measure, "idle", "p50")))
    return found


def _best(records: Records, one: Class, peers: list[str], title: str, measure: str, *path: str) -> list[str]:
    ours, rising = next(iter(one.peers)), path[0] != "idle"
    found = {
        name: reached
        for name in peers
        if adapter_class(name).against == ours
        and (reached := figure(records, name, measure, *path, rising=rising))
        and reached.ratio
    }
    reference = figure(records, ours, measure, *path, rising=rising)
    if not found or reference is None:
        return []
    name = min(found, key=lambda each: found[each].ratio or 0)
    ratio = f"**{times(found[name].ratio or 0)}\N{MULTIPLICATION SIGN}**"
    return [title, number(reference.median), number(found[name].median), adapter_class(name).title, ratio]


def rates(records: Records, one: Class) -> str:
    def cells(name: str) -> list[str]:
        return [
            cell(figure(records, name, measure, "rate")) or (failure(records, name, measure) or "")[:40]
            for measure in RATES
        ]

    return table(["jobs a second", *RATES.values()], each(one, cells))


def pickups(records: Records, one: Class, measure: str) -> str:
    def cells(name: str) -> list[str]:
        found = [cell(figure(records, name, measure, "sustained"), span=False)]
        for phase in ("idle", "loaded"):
            p50, p99 = (figure(records, name, measure, phase, p, rising=False) for p in ("p50", "p99"))
            found += [cell(p50, span=False), cell(p99, span=False), cell(slowest(records, name, measure, phase))]
        return found

    heads = ["milliseconds", "sustained, jobs/s"]
    heads += [f"{phase}, {share}" for phase in ("idle", "at 70 %") for share in ("p50", "p99", "p99.9")]
    return table(heads, each(one, cells))


def costs(records: Records, one: Class) -> str:
    def cells(name: str) -> list[str]:
        def cost(measure: str, *path: str) -> str:
            return cell(figure(records, name, measure, *path, rising=False), span=False)

        start = figure(records, name, "start", "seconds", rising=False)
        if start is not None:
            start = Figure(start.median * 1000, start.low * 1000, start.high * 1000, start.ratio)
        return [
            *(cost(measure, whose) for measure in ("enqueue", "drain") for whose in ("cpu", "server_cpu")),
            cost("size", "bytes"),
            cell(start, span=False),
        ]

    heads = ["", "CPU s, push", "of the server", "CPU s, work", "of the server", "bytes a job", "import, ms"]
    return table(heads, each(one, cells))


def notes(records: Records, one: Class) -> str:
    lines = []
    for name in one.peers:
        kind = adapter_class(name)
        if kind.against and name not in records.all:
            continue
        versions = records.all.get(name, {}).get("versions", {})
        installed = ", ".join(f"{key} {version}" for key, version in versions.items() if kind.against)
        lines.append(f"- {titled(name)}{f' ({installed})' if installed else ''}: {kind.note}.")
    return "\n".join(lines)


def growth(records: Records) -> str:
    sizes = sorted({waiting for name in GROWING for waiting, _ in points(records, name)})
    rows = []
    for name in GROWING:
        found = points(records, name)
        for running in sorted({held for _, held in found}):
            cells = [number(found[waiting, running]) if (waiting, running) in found else "" for waiting in sizes]
            beside = f", beside {power(running)} running" if running else ""
            rows.append([f"{titled(name)} ({PEERS[name][0].title.lower()}){beside}", *cells])
    return table(["microseconds for one job, in and out", *(f"{power(size)} waiting" for size in sizes)], rows)


def points(records: Records, name: str) -> dict[tuple[int, int], float]:
    """Microseconds for one job, by the numbers of waiting and running ones."""
    found = {}
    for measure in records.all.get(name, {}).get("measures", {}):
        if measure.startswith("growth "):
            _, waiting, running = measure.split()
            for run in runs_of(records, name, measure):
                found[int(waiting), int(running)] = run["peer"]["ns"] / 1000
    return found


def section(records: Records, one: Class) -> str:
    parts = [f"## {one.title}", one.what, f"![{one.title}: jobs a second]({one.name}.svg)", rates(records, one)]
    for measure, where in PICKUPS.items():
        if measure in one.measures:
            parts += [
                f"### From push to begin, {where}",
                f"![{one.title}: from push to begin]({one.name}-{measure}.svg)",
                pickups(records, one, measure),
            ]
    parts += ["### What a job costs", costs(records, one), "### How each was run", notes(records, one)]
    return "\n\n".join(parts)


def measured(records: Records, one: Class) -> bool:
    """Whether there is anything to tell of this class."""
    return any(name in records.all for name in one.peers)


def environment(records: Records) -> str:
    found: dict[str, set[str]] = {"machine": set(), "CPUs": set(), "jobcore, commit": set(), "dates": set()}
    loads = []
    for record in records.all.values():
        found["machine"].add(record["machine"])
        found["CPUs"].add(record["CPUs"])
        for measured in record["measures"].values():
            found["jobcore, commit"].add(measured["commit"])
            found["dates"] |= {run["date"][:10] for run in measured["runs"]}
            loads += [run["load"] for run in measured["runs"]]
    lines = [f"- {name}: {'; '.join(sorted(values))}" for name, values in found.items() if values]
    if loads:
        lines.append(f"- load average at the beginning of the runs: {min(loads):.1f} to {max(loads):.1f}")
    return "\n".join(lines)


def page(records: Records) -> str:
    sections = "\n\n".join(section(records, one) for one in CLASSES if measured(records, one))
    return f"""# jobcore and what you would pick instead

Written by `make bench-peers` out of the files in [peers](peers). The cost of our own operations is in
[operations](operations.md), by `make bench`; the instructions they take, and where, in [instructions](instructions.md)
and [profile](profile.md).

{environment(records)}

Every peer runs in the way its documentation recommends for speed, on the same jobs, whose functions get two numbers.
A job counts as done when it is acknowledged. What a peer does less than jobcore is said at the end of each part, and
what is beside it in the same table may be faster for that reason. "Sustained" is the rate of producer and worker
together; "idle" is a push now and then (at most 200 a second); "70 %" is of what the same peer sustains, so there the
fast carry more. Figures are the median of the rounds and their range.

**The number in bold says how many times better jobcore was in the same round**: below 1 the peer was better. A ratio is
to the line in bold letters above it; what is a queue and nothing more is compared with the bare storage.

A small virtual machine is not the same from one minute to the next, and what waits for answers runs up to 1.6 times
faster while another process keeps its cores awake: trust the ratios more than the rates, and no ratio between 0.8
and 1.25.

## At a glance

App and worker of jobcore, and whoever comes closest, or is ahead.

{glance(records)}

{sections}

## As the queue grows

One job pushed, taken and acknowledged, beside so many that wait, and so many that run. What does not grow is level.

![As the queue grows](growth.svg)

{growth(records)}
"""


def write_report(into: Path) -> None:
    """The page and the charts."""
    records = Records(into / "peers")
    (into / "README.md").write_text(page(records), "utf-8")
    charts.draw_all(records, into)


if __name__ == "__main__":
    write_report(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS)
