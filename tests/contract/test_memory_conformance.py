from __future__ import annotations

from jobcore import MemoryStorage
from jobcore.testing import FakeClock, StorageConformance


class TestMemoryStorage(StorageConformance):
    def open_storage(self, clock: FakeClock) -> MemoryStorage:
        return MemoryStorage(clock=clock, timer=clock)
