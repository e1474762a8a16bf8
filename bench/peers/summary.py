"""Figures out of the records: the median of the runs, their range, and how much better ours was in the same rounds.

A ratio is above 1 where jobcore is better: for rates it is ours by theirs, for times, bytes and processor seconds
theirs by ours. It is the median of the ratios of the rounds, not the ratio of the medians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers.catalogue import PEERS, adapter_class

if TYPE_CHECKING:
    from bench.peers.records import Records

ENOUGH = 1000
"""Samples without which the slowest in a thousand is not told."""


@dataclass(frozen=True)
class Figure:
    """Of one peer, or of ours: then without a ratio."""

    median: float
    low: float
    high: float
    ratio: float | None = None


def runs_of(records: Records, name: str, measure: str) -> list[dict[str, Any]]:
    """The runs in which it went well."""
    found: list[dict[str, Any]] = records.measured(name, measure).get("runs", [])
    return [run for run in found if not {"error", "gave_up"} & {*run["peer"], *run["ours"]}]


def value(result: dict[str, Any], *path: str) -> float | None:
    """Deep inside of it."""
    found: Any = result
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return None if found is None else float(found)


def figure(records: Records, name: str, measure: str, *path: str, rising: bool = True) -> Figure | None:
    """What this peer reaches; more is better where it is `rising`."""
    kind = adapter_class(name)
    if not kind.against:
        values = [
            of_ours
            for peer in PEERS
            if adapter_class(peer).against == name
            for run in _rounds(records, peer, measure)
            if (of_ours := value(run, *path)) is not None
        ]
        return _of(values, None)
    pairs = [(value(run["ours"], *path), value(run["peer"], *path)) for run in runs_of(records, name, measure)]
    both = [(ours, peer) for ours, peer in pairs if ours and peer]
    if not both:
        return None
    ratio = median(ours / peer if rising else peer / ours for ours, peer in both)
    return _of([peer for _, peer in both], ratio)


def _rounds(records: Records, peer: str, measure: str) -> list[dict[str, Any]]:
    return [run["ours"] for run in runs_of(records, peer, measure)]


def _of(values: list[float], ratio: float | None) -> Figure | None:
    return Figure(median(values), min(values), max(values), ratio) if values else None


def slowest(records: Records, name: str, measure: str, phase: str) -> Figure | None:
    """The slowest in a thousand: of each run, if that has enough samples, else of all runs together, if they have."""
    phases: list[dict[str, Any]] = []
    if adapter_class(name).against:
        phases = [run["peer"][phase] for run in runs_of(records, name, measure)]
    else:
        peers = [peer for peer in PEERS if adapter_class(peer).against == name]
        phases = [run[phase] for peer in peers for run in _rounds(records, peer, measure)]
    phases = [one for one in phases if one["jobs"]]
    if phases and min(one["jobs"] for one in phases) >= ENOUGH:
        return _of([one["p99.9"] for one in phases], None)
    jobs = sum(one["jobs"] for one in phases)
    worst = sorted((wait for one in phases for wait in one["slowest"]), reverse=True)
    place = jobs - math.ceil(0.999 * jobs)
    if jobs < ENOUGH or place >= min(len(one["slowest"]) for one in phases):
        return None
    return _of([worst[place]], None)


def failure(records: Records, name: str, measure: str) -> str | None:
    """What went wrong in all runs, if there is nothing else to tell."""
    found: list[dict[str, Any]] = records.measured(name, measure).get("runs", [])
    if found and not runs_of(records, name, measure):
        last = found[-1]["peer"]
        return str(last.get("error") or last.get("gave_up") or "ours failed")
    return None
