"""The same tests as `dramatiq`, with ours over files: a new one for every `StubBroker`."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import count

from dramatiq.brokers import stub

from tests.peers.suites import dramatiq

SUITE = replace(dramatiq.SUITE, name="dramatiq, SQLite")


def inject() -> None:
    folder, numbers = tempfile.mkdtemp(dir="."), count()

    class OverFile(dramatiq.Broker):
        def _place(self) -> str:
            return f"sqlite:///{folder}/{next(numbers)}.db"

    vars(stub)["StubBroker"] = OverFile
