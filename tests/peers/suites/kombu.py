"""kombu's tests of its transport in memory, and of what lies on it, with ours in memory."""

from __future__ import annotations

from tests.peers.suite import Suite

TESTS = (
    "t/unit/transport/test_memory.py",
    "t/unit/transport/virtual",
    "t/unit/test_simple.py",
    "t/unit/test_pidbox.py",
    "t/unit/test_mixins.py",
)
LEFT_OUT = (
    # looks at the queues inside of their class
    "t/unit/transport/test_memory.py::test_MemoryTransport::test_queue_for",
    # counts on it that a message which an earlier test left unacknowledged was lost with its connection
    "t/unit/test_simple.py::test_SimpleQueue::test_get_accept",
)
SUITE = Suite(
    name="kombu, memory",
    requirement="kombu==5.7.0",
    sdist=True,
    tests=TESTS,
    arguments=[f"--deselect={test}" for test in LEFT_OUT],
)


def inject() -> None:
    """Let `memory` be ours; calls are counted where they reach the broker."""
    from kombu.transport import TRANSPORT_ALIASES  # noqa: PLC0415  (here and below: when it is to be changed)

    from jobcore.contrib.kombu import Transport, _transport  # noqa: PLC0415
    from jobcore.contrib.kombu._memory import MemoryBroker  # noqa: PLC0415
    from tests.peers.counting import counted  # noqa: PLC0415

    class Counted(MemoryBroker):
        pass

    vars(_transport)["MemoryBroker"] = counted(Counted)
    TRANSPORT_ALIASES["memory"] = lambda: Transport
