"""huey's own tests, on `JobcoreStorage` in files: a new one for every `MemoryHuey`."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import count

from tests.peers.suites import huey

SUITE = replace(huey.SUITE, name="huey, in SQLite")


def inject() -> None:
    folder, numbers = tempfile.mkdtemp(dir="."), count()
    huey.put_in(lambda: {"url": f"sqlite:///{folder}/{next(numbers)}.db"})
