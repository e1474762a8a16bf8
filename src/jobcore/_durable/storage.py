# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""`DurableStorage`: the façade of a storage with a database, whichever it is.

It checks what it is given, turns each call into a `Request`, and awaits the answer. The engine behind it (`Engine`)
runs on a thread or a loop of its own and answers requests in their order; no call blocks the caller's event loop.

A cancelled pop takes nothing. Its request may be anywhere by then: on its way, in a line, claimed, committed, answered.
Whatever it is, the engine sees the `undo` after the pop itself, for requests keep their order: so it finds the pop in
its line, and takes it out, or finds what was claimed for it, and puts that back as it was. The cancellation leaves the
pop when this is done. Other calls that are cancelled happen or do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from jobcore._durable.requests import Pop, Request, undoing
from jobcore._ids import uuid7, uuid_bytes
from jobcore.errors import InvalidJobType, JobcoreError, LeaseLost, StorageClosed
from jobcore.jobs import Completion, JobInfo, NewJobInfo, ReturnJobInfo
from jobcore.jobs._checks import MAX_COUNT, check_all, check_int, check_queue, check_uuid
from jobcore.jobs._new import spec_key
from jobcore.jobs._returned import key_of
from jobcore.stats import QueueStats, StorageStats

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from jobcore.storage import Clock

T = TypeVar("T")

_logger = logging.getLogger("jobcore")

COUNTERS: tuple[str, ...] = (
    "pushed",
    "popped",
    "reclaimed",
    "completed",
    "failed",
    "dead",
    "returned",
    "lost_leases",
    "missing",
)


class Engine(Protocol):
    """What carries requests out, in their order."""

    def submit(self, request: Request) -> None:
        """Carry this out, and answer it; from any thread."""
        ...

    def close(self) -> asyncio.Future[None] | None:
        """Finish what was submitted, end every pop that waits with `StorageClosed`, and stop; None when it has."""
        ...

    def abandon(self) -> None:
        """As `close`, without waiting: nobody holds the storage any more."""
        ...


class DurableStorage:
    """What `SqliteStorage` and its like are made of: a `BatchStorage` for tasks on any number of event loops."""

    def __init__(self, engine: Engine, clock: Clock = time) -> None:
        self._engine = engine
        self._clock = clock
        self._refusal: str | None = None
        self._forked = False
        self._finalizer = weakref.finalize(self, engine.abandon)
        self._finalizer.atexit = False
        _open_storages.add(self)

    async def info(self, job_id: UUID) -> JobInfo | None:
        """The job as it is now, waiting or running; `None` for an unknown id."""
        check_uuid("job_id", job_id)
        found: JobInfo | None = await self._call("info", uuid_bytes(job_id))
        return found

    async def push(self, job: NewJobInfo) -> UUID:
        """Put a job into its queue and return its id; if its id is there already, change nothing."""
        if not isinstance(job, NewJobInfo):
            raise InvalidJobType("job", "a NewJobInfo", job)
        now = self._now()
        job_id = job.id or uuid7()
        await self._call("push", ((uuid_bytes(job_id), job.due_at(now), *spec_key(job)),), now)
        return job_id

    async def push_many(self, jobs: Iterable[NewJobInfo]) -> list[UUID]:
        """Push all of these jobs, or none of them; the ids in their order."""
        now = self._now()
        ids: list[UUID] = []
        rows: list[tuple[Any, ...]] = []
        for job in check_all("job", jobs, NewJobInfo):
            job_id = job.id or uuid7()
            ids.append(job_id)
            rows.append((uuid_bytes(job_id), job.due_at(now), *spec_key(job)))
        await self._call("push", rows, now)
        return ids

    async def pop(self, queue: str, runner_id: UUID) -> JobInfo:
        """Wait for a job of this queue that is due, and lease it to this runner. A cancelled call takes nothing."""
        return (await self._pop(queue, runner_id, 1))[0]

    async def pop_many(self, queue: str, runner_id: UUID, limit: int) -> list[JobInfo]:
        """Wait for a first job and take up to `limit` of those that are due."""
        return await self._pop(queue, runner_id, check_int("limit", limit, 1, MAX_COUNT))

    async def heartbeat(self, job_id: UUID, runner_id: UUID, delivery: int | None = None) -> None:
        """Renew the lease that this runner holds; `LeaseLost` when it does not."""
        check_uuid("job_id", job_id)
        check_uuid("runner_id", runner_id)
        if delivery is not None:
            check_int("delivery", delivery, 0, MAX_COUNT)
        if await self._call("heartbeat", [(uuid_bytes(job_id), delivery)], uuid_bytes(runner_id)):
            raise LeaseLost(job_id)

    async def heartbeat_many(self, held: Iterable[JobInfo], runner_id: UUID) -> list[UUID]:
        """Renew the leases of these deliveries; the ids of those that this runner no longer holds."""
        batch = check_all("held", held, JobInfo)
        check_uuid("runner_id", runner_id)
        ids = [job.id for job in batch]
        beats = [(uuid_bytes(job_id), job.delivery_count) for job_id, job in zip(ids, batch, strict=True)]
        lost = await self._call("heartbeat", beats, uuid_bytes(runner_id))
        return [ids[place] for place in lost]

    async def complete(self, returned: ReturnJobInfo) -> bool:
        """Hand a job back; True when it is not queued again. `LeaseLost` when its runner does not hold it."""
        if not isinstance(returned, ReturnJobInfo):
            raise InvalidJobType("returned", "a ReturnJobInfo", returned)
        (completion,) = await self._call("complete", ((*key_of(returned), returned),))
        if completion is Completion.LEASE_LOST:
            raise LeaseLost(returned.id)
        return (completion or self._missing(returned)) is Completion.REMOVED

    async def complete_many(self, returned: Iterable[ReturnJobInfo]) -> list[Completion]:
        """Complete each of these, on its own and in order, in one transaction."""
        backs = [(*key_of(back), back) for back in check_all("returned", returned, ReturnJobInfo)]
        completions: list[Completion | None] = await self._call("complete", backs)
        return [
            self._missing(back) if completion is None else completion
            for completion, (_, _, back) in zip(completions, backs, strict=True)
        ]

    async def stats(self) -> StorageStats:
        """Gauges as of now, for all processes; counters of this storage object. Linear in the number of jobs."""
        gauges, counters = await self._call("gauges")
        by_queue = {queue: QueueStats(*counts) for queue, counts in gauges.items()}
        return StorageStats(
            queues=len(by_queue),
            jobs=sum(counts.jobs for counts in by_queue.values()),
            running=sum(counts.running for counts in by_queue.values()),
            by_queue=by_queue,
            **counters,
        )

    async def hold(self, after: int, limit: int) -> tuple[int, list[JobInfo]]:
        """For `jobcore.copying`, as the next three: keep jobs from the runners, but for those that one works on.

        Takes up to `limit` from position `after` on, in the order of pushes, and those that are kept already; returns
        the position of the last. Nobody gets them, without limit of time, until they are forgotten or released.
        """
        held: tuple[int, list[JobInfo]] = await self._call("hold", after, limit)
        return held

    async def receive(self, jobs: Iterable[JobInfo]) -> None:
        """Put these in as they are, kept from the runners; known ids change nothing."""
        rows: list[tuple[Any, ...]] = []
        for job in check_all("job", jobs, JobInfo):
            counts = (job.retry_count, job.delivery_count, job.lost_count)
            rows.append((uuid_bytes(job.id), job.due, *spec_key(job), *counts, job.last_error))
        await self._call("receive", rows)

    async def forget(self, job_ids: Iterable[UUID]) -> None:
        """Remove those of these that are kept from the runners."""
        await self._call("forget", [uuid_bytes(job_id) for job_id in job_ids])

    async def release(self, job_ids: Iterable[UUID] | None = None) -> None:
        """Let the runners have those of these that are kept from them; by default all."""
        await self._call("release", None if job_ids is None else [uuid_bytes(job_id) for job_id in job_ids])

    async def aclose(self) -> None:
        """Refuse every call from now on, finish the others, wake every waiter with `StorageClosed`. Twice is fine."""
        self._refuse("it was closed")
        closing = None if self._forked else self._engine.close()
        if closing is not None:
            await closing

    async def __aenter__(self) -> Self:
        await self._call("ping")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _now(self) -> int:
        return self._clock.time_ns() // 1000

    def _refuse(self, reason: str) -> None:
        if self._refusal is None:
            self._refusal = reason

    def _check_open(self) -> None:
        if self._refusal is not None:
            raise StorageClosed(self._refusal)

    def _call(self, verb: str, *args: Any) -> asyncio.Future[Any]:
        self._check_open()
        request = Request(verb, *args)
        self._engine.submit(request)
        return request.future

    async def _pop(self, queue: str, runner_id: UUID, limit: int) -> list[JobInfo]:
        pop = Pop(check_queue(queue), uuid_bytes(check_uuid("runner_id", runner_id)), limit)
        self._check_open()
        self._engine.submit(pop)
        try:
            jobs: list[JobInfo] = await pop.future
        except asyncio.CancelledError:
            await self._undone(pop)
            raise
        except GeneratorExit:  # thrown away with its loop; there is nothing to wait on
            self._engine.submit(undoing(pop, pop.loop.create_future()))
            raise
        return jobs

    async def _undone(self, pop: Pop) -> None:
        undo = undoing(pop, pop.loop.create_future())
        self._engine.submit(undo)
        while not undo.future.done():
            with contextlib.suppress(asyncio.CancelledError):  # the first one is on its way out already
                await asyncio.wait([undo.future])
        with contextlib.suppress(JobcoreError):  # without the database, the lease runs out
            undo.future.result()

    def _missing(self, returned: ReturnJobInfo) -> Completion:
        _logger.warning("job %s was completed (%s), but is not there", returned.id, returned.result.value)
        return Completion.REMOVED

    def refuse_after_fork(self) -> None:
        """In the child: what belongs to the engine's thread, which is not there, must not be touched."""
        self._refuse("it was opened before the fork; open one in this process")
        self._forked = True
        self._finalizer.detach()
        _left_behind.append(self._engine)


_open_storages: weakref.WeakSet[DurableStorage] = weakref.WeakSet()
_left_behind: list[Engine] = []


def _refuse_after_fork() -> None:
    for storage in _open_storages:
        storage.refuse_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_refuse_after_fork)
