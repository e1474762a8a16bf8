"""huey's own tests, on `JobcoreStorage` in files: a new one for every `MemoryHuey`."""

from __future__ import annotations

import tempfile
from itertools import count

from tests.peers.suite import Suite
from tests.peers.suites.huey import put_in

SUITE = Suite(name="huey, in SQLite", requirement="huey==3.5.4", tests=["huey.tests"])


def inject() -> None:
    folder, numbers = tempfile.mkdtemp(dir="."), count()
    put_in(lambda: {"url": f"sqlite:///{folder}/{next(numbers)}.db"})
