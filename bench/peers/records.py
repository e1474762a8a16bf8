"""What was measured, in `bench/results/peers/`: a file for each peer.

A measurement stands for the sources of jobcore, the adapter, and the versions of the peer and of Python that it was
made with: its `key`. As long as that is the same it need not be made again.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.peers.catalogue import adapter_class

Record = dict[str, Any]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results"
_TELL = """
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
told = {"Python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        told[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(told))
"""


def python_of(name: str) -> Path | None:
    """The Python of the peer's environment, if that is there."""
    environment = adapter_class(name).environment
    if not environment:
        return Path(sys.executable)
    python = ROOT / f".venv-{environment}" / "bin" / "python"
    return python if python.exists() else None


@functools.cache
def versions_of(name: str) -> dict[str, str]:
    """Of the peer's Python and distributions, as they are installed."""
    python = python_of(name)
    assert python is not None
    command: list[str] = [str(python), "-c", _TELL, *adapter_class(name).distributions]
    told: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told


@functools.cache
def sources() -> str:
    """A digest of what jobcore is built from."""
    digest = hashlib.sha256()
    for folder in ("src", "csrc/include", "csrc"):
        for path in sorted((ROOT / folder).glob("*.cpp" if folder == "csrc" else "**/*")):
            if path.is_file() and path.suffix in {".py", ".pyx", ".pxd", ".hpp", ".cpp", ".h", ".sql"}:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def machine() -> dict[str, str]:
    """What the figures were made on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    return {"machine": f"{model}, {platform.machine()}, {platform.system()}", "CPUs": str(os.cpu_count())}


@functools.cache
def commit() -> str:
    """Of this checkout."""
    run = functools.partial(subprocess.run, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    found = run(["git", "rev-parse", "--short=9", "HEAD"]).stdout.strip() or "unknown"
    changed = run(["git", "status", "--porcelain", "--untracked-files=no", "src", "csrc"]).stdout.strip()
    return f"{found}, with changes" if changed else found


def key_of(name: str) -> str:
    """What a measurement of this peer depends on."""
    adapter = adapter_class(name)
    parts = [sources(), inspect.getsource(adapter), json.dumps(versions_of(name)), json.dumps(machine())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


class Records:
    """The files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.all: dict[str, Record] = {
            path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))
        }

    def measured(self, name: str, measure: str) -> Record:
        """What is known of it, whatever it was made with."""
        found: Record = self.all.get(name, {}).get("measures", {}).get(measure, {})
        return found

    def done(self, name: str, measure: str, rounds: int, seconds: float) -> bool:
        """Whether there are as many runs as are asked for, as long as they are asked for, of what is here now."""
        found = self.measured(name, measure)
        return bool(
            found
            and found["key"] == key_of(name)
            and found["seconds"] >= seconds
            and len(found["runs"]) >= rounds
            and not any("error" in run["peer"] for run in found["runs"])
        )

    def put(self, name: str, measure: str, seconds: float, runs: list[Record], server: dict[str, str]) -> None:
        """Write this down in place of what there was."""
        record = self.all.setdefault(name, {})
        record |= {"versions": versions_of(name) | server, **machine()}
        record.setdefault("measures", {})[measure] = {
            "key": key_of(name), "seconds": seconds, "commit": commit(), "runs": runs,
        }  # fmt: skip
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        (self.folder / f"{name}.json").write_text(text, "utf-8")
