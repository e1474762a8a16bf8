"""Measure the peers beside jobcore: `make bench-peers`, which is `python -m bench.peers.run`.

Each measurement is a process of its own, on an empty place. A run of a peer stands beside a run of ours: ours, up to
three peers, ours, the next ones, and so all again in the next round, since a machine is not the same from one minute to
the next. What is done already, with the same versions of everything, is not done again (`records.py`), so a run that
was broken off goes on where it was. At the end the report is written anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peers.catalogue import CLASSES, PEERS, adapter_class, growing, measures_of, place_of
from bench.peers.records import RESULTS, ROOT, Records, python_of
from bench.peers.report import write_report
from bench.peers.servers import Servers, is_there

if TYPE_CHECKING:
    from collections.abc import Iterator

BESIDE = 3
"""Peers that share one run of ours."""
ONCE = ("size", "start")
"""What does not vary from run to run, and is measured once."""
TIMES = {"enqueue": 1.0, "enqueue-64": 1.0, "enqueue-batch": 1.0, "drain": 2.0, "drain-1ms": 2.0}
PICKUP = 3.5
OVERHEAD = 0.6
GROWTH = 5.0


@dataclass(frozen=True)
class Step:
    """Peers to be measured in turn with ours."""

    ours: str
    peers: tuple[str, ...]
    measure: str
    rounds: int
    waiting: int = 0
    running: int = 0

    @property
    def name(self) -> str:
        """Under which it is written down."""
        return f"growth {self.waiting} {self.running}" if self.measure == "growth" else self.measure

    def estimate(self, seconds: float) -> float:
        """Seconds it may take."""
        if self.measure == "growth":
            return GROWTH * (0.3 + self.waiting / 10**6)
        each = seconds * (PICKUP if self.measure.startswith("pickup") else TIMES.get(self.measure, 1)) + OVERHEAD
        return each * self.rounds * (bool(self.ours) + len(self.peers))


def chosen(only: str | None, *, smoke: bool) -> list[str]:
    """The peers that are asked for and whose environment is there."""
    names = [only] if only else list(PEERS)
    if only and only not in PEERS:
        sys.exit(f"there is no peer {only!r}; there are: {', '.join(PEERS)}")
    if smoke:
        return [
            name for name in names if not adapter_class(name).environment and place_of(name) in {"nothing", "folder"}
        ]
    found = [name for name in names if python_of(name) and is_there(place_of(name))]
    for name in names:
        if name not in found:
            lacking = "server" if python_of(name) else f"environment .venv-{adapter_class(name).environment}"
            print(f"left out: {name}, whose {lacking} is not there")
    return found


def steps(names: list[str], records: Records, rounds: int, seconds: float, most: int) -> Iterator[Step]:
    """All that is to be done and is not done yet."""
    for one in CLASSES:
        peers = [name for name in one.peers if name in names]
        for measure in one.measures:
            times = 1 if measure in ONCE else rounds
            groups: dict[str, list[str]] = {}
            for name in peers:
                against = adapter_class(name).against
                if against and measure in measures_of(name) and not records.done(name, measure, times, seconds):
                    groups.setdefault(against, []).append(name)
            for ours, group in groups.items():
                for at in range(0, len(group), BESIDE):
                    yield Step(ours, tuple(group[at : at + BESIDE]), measure, times)
        sizes = sorted({size for name in peers for size in growing(name, most=most)})
        for waiting, running in sizes:
            for name in peers:
                step = Step("", (name,), "growth", 1, waiting, running)
                if (waiting, running) in growing(name, most=most) and not records.done(name, step.name, 1, 0):
                    yield step


def run_child(servers: Servers, name: str, step: Step, seconds: float) -> dict[str, Any]:
    """One measurement; what went wrong, if something did."""
    kind = adapter_class(name)
    with servers.place(place_of(name)) as (place, server), tempfile.TemporaryDirectory() as folder:
        into = Path(folder, "result.json")
        command: list[object] = [
            python_of(name), "-m", "bench.peers.child", name, step.measure, "--into", into, "--place", place,
            "--seconds", seconds, "--server", server, "--waiting", step.waiting, "--running", step.running,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                list(map(str, command)), cwd=ROOT, env=os.environ | kind.variables, check=False,
                timeout=60 + 20 * seconds, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"error": "it took too long"}
        if done.returncode or not into.exists():
            return {"error": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
        result: dict[str, Any] = json.loads(into.read_text("utf-8"))
    return result


def told(result: dict[str, Any]) -> str:
    """In a few words."""
    if "error" in result or "gave_up" in result:
        return str(result.get("error") or result["gave_up"])
    for name, text in (
        ("rate", "{:,.0f}/s"),
        ("bytes", "{:,.0f} bytes"),
        ("ns", "{:,.0f} ns"),
        ("seconds", "{:.3f} s"),
    ):
        if name in result:
            return text.format(result[name])
    return f"{result['sustained']:,.0f}/s, idle {result['idle'].get('p50', 0):.2f} ms"


def carry_out(step: Step, servers: Servers, records: Records, seconds: float, begins: str) -> bool:
    """All rounds of a step, and write them down; whether all went well."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in step.peers}
    for _ in range(step.rounds):
        about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "load": round(os.getloadavg()[0], 2)}
        ours = run_child(servers, step.ours, step, seconds) if step.ours else {}
        for name in step.peers:
            result = run_child(servers, name, step, seconds)
            runs[name].append({"ours": ours, "peer": result, **about})
            beside = f"   ours {told(ours)}" if ours else ""
            print(f"{begins} {step.name:18} {name:24} {told(result)}{beside}", flush=True)
    for name in step.peers:
        records.put(name, step.name, seconds, runs[name], servers.version(place_of(name)))
    return not any("error" in result for each in runs.values() for run in each for result in (run["ours"], run["peer"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="measure this one only")
    parser.add_argument("--quick", action="store_true", help="shorter runs, and fewer of them")
    parser.add_argument("--fresh", action="store_true", help="measure again what is known")
    parser.add_argument("--smoke", type=Path, help="run it all for a moment, into this folder, without servers")
    arguments = parser.parse_args()
    into: Path = arguments.smoke or RESULTS
    seconds, rounds, most = (0.35, 2, 10**5) if arguments.quick else (1.0, 3, 10**6)
    if arguments.smoke:
        seconds, rounds, most = 0.02, 1, 10**3
    records = Records(into / "peers")
    known = Records(Path(tempfile.mkdtemp())) if arguments.fresh else records
    plan = list(steps(chosen(arguments.peer, smoke=bool(arguments.smoke)), known, rounds, seconds, most))
    left = sum(step.estimate(seconds) for step in plan)
    print(f"{len(plan)} measurements to make, about {left / 60:.0f} minutes")
    began, pace = time.monotonic(), 1.0
    spent = 0.0
    with Servers() as servers:
        for number, step in enumerate(plan, 1):
            begins = f"[{number:3}/{len(plan)}, {pace * left / 60:3.0f} min left]"
            went_well = carry_out(step, servers, records, seconds, begins)
            if arguments.smoke and not went_well:
                sys.exit(f"{step.name} of {', '.join(step.peers)} failed")
            left -= step.estimate(seconds)
            spent += step.estimate(seconds)
            pace = (time.monotonic() - began) / spent
    write_report(into)


if __name__ == "__main__":
    main()
