"""What a storage counts."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (who decodes dataclasses reads their annotations at run time)
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QueueStats:
    """What lies in one queue: `jobs` in all, `running` of them held by a runner."""

    jobs: int
    running: int


@dataclass(frozen=True, slots=True)
class StorageStats:
    """Gauges (as of now) and counters (since the storage was made).

    Gauges: `queues` that hold jobs, `jobs` in all, `running` of them held by a runner; `by_queue` splits these.
    Counters: `pushed`; `popped`, of which `reclaimed` after a lease that ran out; `completed` by SUCCESS; `failed` and
    put back; `dead`, removed without success; `returned` unexecuted or unregistered; `lost_leases`, the calls that
    were refused with `LeaseLost`; `missing`, the completions of unknown jobs.
    """

    queues: int
    jobs: int
    running: int
    pushed: int
    popped: int
    reclaimed: int
    completed: int
    failed: int
    dead: int
    returned: int
    lost_leases: int
    missing: int
    by_queue: Mapping[str, QueueStats] = field(default_factory=dict[str, QueueStats])
