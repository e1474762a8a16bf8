"""Jobs that are popped and abandoned, again and again: neither the leases that ran out nor the heartbeats pile up."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from jobcore import MemoryStorage, NewJobInfo
from tests.leaks.scripts.counting import assert_flat

QUEUE = "queue" * 3
RUNNER = UUID(int=1)
SECOND = 10**9


class Clock:
    """Stands where it was set."""

    def __init__(self) -> None:
        self.now = SECOND

    def time_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


clock = Clock()
storage = MemoryStorage(clock=clock)
job = NewJobInfo("job", queue=QUEUE, heartbeat_interval=timedelta(seconds=1))
for _ in range(10):
    storage.push_nowait(job)


def abandon() -> None:
    clock.now += SECOND  # of five for a lease, so that about five jobs run at any time
    popped = storage.pop_nowait(QUEUE, RUNNER)
    assert popped is not None
    assert popped.lost_count == popped.delivery_count - 1


def renew() -> None:
    storage.heartbeat_nowait(held, RUNNER)


assert_flat(abandon, job, storage, RUNNER)
clock.now += 10 * SECOND
last = storage.pop_nowait(QUEUE, RUNNER)
assert last is not None
held = last.id
assert_flat(renew, job, storage, RUNNER)
stats = storage.stats()
assert stats.reclaimed == stats.popped - stats.running  # a job that was popped is held ever after
