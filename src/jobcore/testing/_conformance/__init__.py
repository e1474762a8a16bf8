"""The suite that every storage passes: the promises of `jobcore.storage`, one file for each."""

from __future__ import annotations

from jobcore.testing._conformance._bad_input import BadInput
from jobcore.testing._conformance._batches import Batches
from jobcore.testing._conformance._batches_completing import BatchesCompleting
from jobcore.testing._conformance._cancelling import Cancelling
from jobcore.testing._conformance._closing import Closing
from jobcore.testing._conformance._completing import Completing
from jobcore.testing._conformance._due import Due
from jobcore.testing._conformance._fencing import Fencing
from jobcore.testing._conformance._isolation import Isolation
from jobcore.testing._conformance._lease import Lease
from jobcore.testing._conformance._order import Order
from jobcore.testing._conformance._pushing import Pushing
from jobcore.testing._conformance._retrying import Retrying
from jobcore.testing._conformance._stats import Stats
from jobcore.testing._conformance._threads import Threads
from jobcore.testing._conformance._time import Time
from jobcore.testing._conformance._waiting import Waiting


class StorageConformance(
    Order,
    Due,
    Pushing,
    Lease,
    Fencing,
    Completing,
    Retrying,
    Waiting,
    Cancelling,
    Isolation,
    Batches,
    BatchesCompleting,
    BadInput,
    Closing,
    Threads,
    Time,
    Stats,
):
    """Every promise of a storage as a test; a subclass says how to open one, and is collected by pytest.

    The tests are plain methods, each with an event loop of its own, so no plugin is needed. Time is virtual: it passes
    by `FakeClock`, which is the storage's clock and, where it takes one, its timer. The attributes and hooks of
    `Conformance` tell what a storage does otherwise: one that has no timer, for example, waits in real time.

        class TestMyStorage(StorageConformance):
            def open_storage(self, clock: FakeClock) -> MyStorage:
                return MyStorage(clock=clock, timer=clock)
    """
