"""Runs the test suites of other libraries twice, with their own storage and with ours: `make test-peers`.

`python -m tests.peers.run [NAME...]` runs those of these modules of `suites`, by default all. Each test that passes
with theirs must pass with ours, and some calls must have gone through ours; else this ends with an error. What it
unpacks and writes lies in `build/peers`.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from tests.peers.suite import Suite

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "peers"
LACKING = ROOT / "tests" / "peers" / "lacking"
PATIENCE = 900
"""Seconds for one run of one suite."""


@dataclass
class Outcome:
    """Both runs of a suite."""

    name: str
    requirement: str
    tests: int
    theirs: set[str]
    ours: set[str]
    calls: dict[str, int]

    @property
    def broken(self) -> list[str]:
        """What passes with theirs and not with ours."""
        return sorted(self.theirs - self.ours)

    @property
    def good(self) -> bool:
        return bool(self.theirs and sum(self.calls.values()) and not self.broken)


def run(module: str) -> Outcome:
    """Both runs of the suite in this module."""
    suite: Suite = importlib.import_module(f"tests.peers.suites.{module}").SUITE
    if version(suite.distribution) != suite.version:
        sys.exit(f"{suite.requirement} is wanted, and {version(suite.distribution)} is installed")
    place = PLACE / module
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    tests, theirs = run_pytest(suite, place, "theirs", {})
    calls = place / "calls.json"
    injection = {"PEER_SUITE": module, "PEER_CALLS": str(calls), "PYTHONPATH": str(ROOT)}
    _, ours = run_pytest(suite, place, "ours", injection)
    counted: dict[str, int] = json.loads(calls.read_text("utf-8")) if calls.exists() else {}
    return Outcome(suite.name, suite.requirement, tests, theirs, ours, counted)


def run_pytest(suite: Suite, place: Path, side: str, injection: dict[str, str]) -> tuple[int, set[str]]:
    """How many tests there are, and those that pass."""
    folder = unpacked(suite, place / side) if suite.sdist else place / side
    if not suite.sdist:
        folder.mkdir()
        (folder / "pytest.ini").touch()  # so that ours is not taken
    report, output = place / f"{side}.xml", place / f"{side}.txt"
    # -P: their folder `tests` in the current one must not be taken for ours
    command = [
        *(sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", "--timeout=120"),
        *([] if suite.sdist else ["--pyargs"]),
        *(["-p", "tests.peers.injection"] if injection else []),
        *suite.arguments,
        *suite.tests,
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | injection
    with output.open("wb") as file:
        subprocess.run(command, cwd=folder, env=environment, stdout=file, stderr=file, timeout=PATIENCE, check=False)
    if not report.exists():
        sys.exit(f"{suite.name}, {side}: pytest made no report:\n{output.read_text('utf-8', 'replace')[-4000:]}")
    return passed(report)


def unpacked(suite: Suite, folder: Path) -> Path:
    """The root of the library's source distribution, in this folder."""
    archives = PLACE / "sdists" / suite.requirement
    if not archives.exists():
        wanted = f"{suite.distribution}=={suite.version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
        subprocess.run([*command, f"--dest={archives}", wanted], check=True, timeout=PATIENCE)
    with tarfile.open(next(archives.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    for path, source in suite.lacking.items():
        (root / path).write_bytes((LACKING / source).read_bytes() if source else b"")
    return root


def passed(report: Path) -> tuple[int, set[str]]:
    """The same of a report in JUnit's form; a name that is there more than once has its number."""
    seen: Counter[str] = Counter()
    passing: set[str] = set()
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        seen[name] += 1
        if not any(child.tag in {"failure", "error", "skipped"} for child in case):
            passing.add(f"{name}#{seen[name]}" if seen[name] > 1 else name)
    return seen.total(), passing


def table(outcomes: list[Outcome]) -> str:
    """All of it, as Markdown."""
    rows = [
        ["suite", "library", "tests", "passed with theirs", "passed with ours", "calls through ours"],
        ["---", "---", "---:", "---:", "---:", "---:"],
    ]
    for one in outcomes:
        both = len(one.theirs & one.ours)
        numbers = (one.tests, len(one.theirs), both, sum(one.calls.values()))
        rows.append([one.name, one.requirement.replace("==", " "), *(f"{number:,}" for number in numbers)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    every = sorted(path.stem for path in (ROOT / "tests" / "peers" / "suites").glob("*.py"))
    outcomes = [run(module) for module in sys.argv[1:] or every]
    print(table(outcomes))
    for one in outcomes:
        for test in one.broken:
            print(f"{one.name}: passes with theirs, and not with ours: {test}")
        if not one.calls:
            print(f"{one.name}: no call went through ours")
    sys.exit(not all(one.good for one in outcomes))


if __name__ == "__main__":
    main()
