"""Processor time: of this process, and of a server with all its processes, where /proc tells."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

_TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
_JOBS = 100_000


def _stat(process: int) -> tuple[int, float]:
    """Its parent; seconds that it has taken, with those of the children that it has waited for."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii", errors="replace").rpartition(")")[2].split()
    return int(fields[1]), sum(map(int, fields[11:15])) * _TICK


def seconds_of(server: int) -> float:
    """What a process and its children have taken so far; 0 where nobody tells."""
    if not server or not Path("/proc/self/stat").exists():
        return 0.0
    total = _stat(server)[1]
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent, seconds = _stat(int(path.name))
        except OSError:  # it has ended meanwhile
            continue
        if parent == server:
            total += seconds
    return total


class Meter:
    """Runs from now on."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._own, self._servers = time.process_time(), seconds_of(server)

    def spent(self, jobs: int) -> dict[str, Any]:
        """Seconds for 100,000 jobs, if so many jobs took what was taken since."""
        own = (time.process_time() - self._own) / jobs * _JOBS
        servers = (seconds_of(self._server) - self._servers) / jobs * _JOBS
        return {"cpu": own, "server_cpu": servers} if self._server else {"cpu": own}
