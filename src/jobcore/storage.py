"""The contract: what every storage promises, whatever it is made of.

The promises are numbered as in `docs/design.md`; `jobcore.testing` holds a suite that checks them on any storage.

Order
    Within a queue, the jobs that are due leave by higher priority, then by earlier `next_queue`, then in the order in
    which they were pushed. A put-back after a failure is a new push for this order; after a lost lease, or when it is
    handed back unexecuted or unregistered without a delay, a job keeps its old place.
Due
    A job is never popped before its `next_queue`, and one that is due is visible at once.
Lease
    A popped job is leased to its runner for five heartbeat intervals; each heartbeat renews the lease. Once more than
    that has passed, the job can be popped again, with `delivery_count` and `lost_count` one higher.
Fencing
    The holder stays the holder until the job is popped again, put back or removed, also after the lease ran out. For
    anybody else, another delivery or a pending job, `heartbeat` and `complete` change nothing and raise `LeaseLost`.
Waiting
    No job that could be popped lies there while anybody waits on its queue. A cancelled `pop` takes nothing.

Whether an object is a storage is asked of the object, method by method, by `missing_methods` and `takes_batches`. An
`isinstance` would ask its class from Python 3.12 on, and so refuse a storage that forwards to another one by
`__getattr__`, as wrappers that trace calls do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable
    from typing import TypeGuard
    from uuid import UUID

    from jobcore.jobs import Completion, JobInfo, NewJobInfo, ReturnJobInfo

T = TypeVar("T")


@runtime_checkable
class Storage(Protocol):
    """A place where jobs wait, are leased to runners, and come back when a runner dies.

    Every call raises `StorageClosed` once the storage is closed, and `StorageUnavailable` while a storage that has a
    database cannot reach it; after the latter, the call may have happened or not.
    """

    async def info(self, job_id: UUID) -> JobInfo | None:
        """The job as it is now, waiting or running; `None` for an unknown id."""
        ...

    async def push(self, job: NewJobInfo) -> UUID:
        """Put a job into its queue and return its id; if its id is there already, change nothing."""
        ...

    async def pop(self, queue: str, runner_id: UUID) -> JobInfo:
        """Wait for a job of this queue that is due, and lease it to this runner.

        A cancelled call takes nothing. Raises `InvalidJob` for a queue name that no job can have.
        """
        ...

    async def heartbeat(self, job_id: UUID, runner_id: UUID, delivery: int | None = None) -> None:
        """Renew the lease that this runner holds; `LeaseLost` when it does not, or the job is unknown.

        `delivery` (the job's `delivery_count`) tells this execution from another one of the same runner.
        """
        ...

    async def complete(self, returned: ReturnJobInfo) -> bool:
        """Hand a job back; True when it is not queued again, also when it is unknown. `LeaseLost` as above.

        SUCCESS and DEAD remove it. FAILURE removes it when its retries are used up, and puts it back by its backoff
        otherwise. UNREGISTERED and UNEXECUTED put it back as it was, or after `returned.delay`.
        """
        ...


@runtime_checkable
class BatchStorage(Storage, Protocol):
    """A storage that takes many jobs in one call."""

    async def push_many(self, jobs: Iterable[NewJobInfo]) -> list[UUID]:
        """Push all of these jobs, or none of them; the ids in their order."""
        ...

    async def pop_many(self, queue: str, runner_id: UUID, limit: int) -> list[JobInfo]:
        """Wait for a first job and take up to `limit` of those that are due."""
        ...

    async def heartbeat_many(self, held: Iterable[JobInfo], runner_id: UUID) -> list[UUID]:
        """Renew the leases of these deliveries; the ids of those that this runner no longer holds."""
        ...

    async def complete_many(self, returned: Iterable[ReturnJobInfo]) -> list[Completion]:
        """Complete each of these, on its own and in order, in one transaction."""
        ...


@runtime_checkable
class Timer(Protocol):
    """Races an awaitable against a clock."""

    async def timeout(self, seconds: float, awaitable: Awaitable[T]) -> T:
        """The result of `awaitable`; `TimeoutError`, and the awaitable cancelled, when so many seconds pass first."""
        ...


@runtime_checkable
class Clock(Protocol):
    """Tells the time; the module `time` is one.

    Due times follow `time_ns`, leases in memory `monotonic_ns`.
    """

    def time_ns(self) -> int:
        """Nanoseconds since 1970."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that only goes forward."""
        ...


def missing_methods(value: object, protocol: type) -> list[str]:
    """The names of the methods of this protocol that `value` lacks; none if it is one."""
    wanted = [name for base in reversed(protocol.__mro__) for name in _methods(base)]
    return [name for name in wanted if not callable(getattr(value, name, None))]


def takes_batches(storage: Storage) -> TypeGuard[BatchStorage]:
    """Whether this is a `BatchStorage` too."""
    return all(callable(getattr(storage, name, None)) for name in _BATCHES)


def _methods(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_")]


_BATCHES = _methods(BatchStorage)
