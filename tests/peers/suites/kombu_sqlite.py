"""The same tests as `kombu`, with ours over a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.peers.suites import kombu

SUITE = replace(kombu.SUITE, name="kombu, SQLite")


def inject() -> None:
    """Let `memory` be a file of ours; calls are counted where they reach the broker."""
    from kombu.transport import TRANSPORT_ALIASES  # noqa: PLC0415  (here and below: when it is to be changed)

    from jobcore.contrib.kombu import Transport, _transport  # noqa: PLC0415
    from jobcore.contrib.kombu._sqlite import SqliteBroker  # noqa: PLC0415
    from tests.peers.counting import counted  # noqa: PLC0415

    class Counted(SqliteBroker):
        pass

    path = Path("queues.db").resolve()  # in the folder of this run

    class OverFile(Transport):
        def __init__(self, client: Any, **kwargs: Any) -> None:
            client.hostname = f"sqlite:///{path}"
            super().__init__(client, **kwargs)

    vars(_transport)["SqliteBroker"] = counted(Counted)
    TRANSPORT_ALIASES["memory"] = lambda: OverFile
