from __future__ import annotations

import asyncio

from jobcore import MemoryStorage
from jobcore.testing import FakeClock, StorageConformance, settle


class TestMemoryStorage(StorageConformance):
    def open_storage(self, clock: FakeClock) -> MemoryStorage:
        return MemoryStorage(clock=clock, timer=clock)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose own timers run by a `FakeClock`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__()

    def time(self) -> float:
        return self._clock.monotonic_ns() / 1e9


class TestMemoryStorageByTheTimersOfTheLoop(StorageConformance):
    """Without a timer of its own, as it is used, a storage waits by `loop.call_at`."""

    guard = 1e9  # is measured by the loop, so what hangs is found by the time limit of the test run

    # Its short waits are real time, which this loop does not know.
    test_wait_for_that_times_out_takes_nothing = None  # type: ignore[assignment]

    def open_storage(self, clock: FakeClock) -> MemoryStorage:
        return MemoryStorage(clock=clock)

    def new_loop(self, clock: FakeClock) -> VirtualLoop:
        return VirtualLoop(clock)

    async def pass_time(self, clock: FakeClock, seconds: float) -> None:
        clock.skip(seconds)
        await settle()
