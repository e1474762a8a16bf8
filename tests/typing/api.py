"""The public names as a type checker sees them: mypy and pyright read this file (`make types`), nothing runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_type
from uuid import UUID

from jobcore import (
    BatchStorage,
    Clock,
    Completion,
    Exponential,
    InvalidJob,
    JobcoreError,
    JobInfo,
    JobResult,
    LeaseLost,
    Linear,
    MemoryStorage,
    NewJobInfo,
    PostgresStorage,
    ReturnJobInfo,
    SqliteStorage,
    Storage,
    StorageClosed,
    Timer,
    open_storage,
)
from jobcore.jobs import Backoff
from jobcore.stats import QueueStats, StorageStats
from jobcore.testing import FakeClock, ModelStorage, StorageConformance

if TYPE_CHECKING:
    from jobcore.memory import JobIndex

RUNNER = UUID(int=1)


def new_jobs(own: UUID, moment: datetime) -> NewJobInfo:
    job = NewJobInfo(
        "name",
        {"any": ["JSON"]},
        queue="queue",
        priority=-1,
        max_retries=None,
        backoff=Exponential(2, cap=60, jitter=0.5),
        heartbeat_interval=timedelta(seconds=1),
        next_queue=moment,
        id=own,
    )
    NewJobInfo("name", next_queue=timedelta(hours=1), backoff=Linear(5))
    assert_type(job.name, str)
    assert_type(job.queue, str)
    assert_type(job.args, Any)
    assert_type(job.raw_args, bytes)
    assert_type(job.priority, int)
    assert_type(job.max_retries, int | None)
    assert_type(job.backoff, Backoff)
    assert_type(job.backoff.delay(1), float)
    assert_type(job.heartbeat_interval, timedelta)
    assert_type(job.next_queue, datetime | timedelta | None)
    assert_type(job.id, UUID | None)
    return assert_type(NewJobInfo.from_json(job.to_json()), NewJobInfo)


def refused_by_checkers(job: NewJobInfo, popped: JobInfo, storage: MemoryStorage) -> None:
    # An ignore that nothing needs is an error for both, so each of these lines is one of the promises.
    job.name = "another"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    popped.retry_count = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    NewJobInfo("name", None, "queue")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    NewJobInfo("name", backoff=2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    JobInfo("name")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    storage.push_nowait(popped)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    asyncio.run(storage.push(popped))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    storage.complete_nowait(popped)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    MemoryStorage(FakeClock())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def popped_jobs(job: JobInfo) -> JobInfo:
    assert_type(job.id, UUID)
    assert_type(job.next_queue, datetime)
    assert_type(job.retry_count, int)
    assert_type(job.delivery_count, int)
    assert_type(job.lost_count, int)
    assert_type(job.last_error, str | None)
    assert_type(job.next_queue_id(), UUID)
    assert_type(job.unexecuted(), ReturnJobInfo)
    assert_type(job.returned(JobResult.SUCCESS, RUNNER), ReturnJobInfo)
    assert_type(job.returned(JobResult.FAILURE, None, delay=timedelta(seconds=1), error="why"), ReturnJobInfo)
    assert_type(job.prepare_retry(delay=timedelta(0)), JobInfo | None)
    return assert_type(JobInfo.from_json(job.to_json()), JobInfo)


def returned_jobs(job_id: UUID) -> None:
    returned = ReturnJobInfo(job_id, JobResult.FAILURE, RUNNER, 1, timedelta(seconds=1), "why")
    assert_type(returned.id, UUID)
    assert_type(returned.result, JobResult)
    assert_type(returned.runner_id, UUID | None)
    assert_type(returned.delivery, int | None)
    assert_type(returned.delay, timedelta | None)
    assert_type(returned.error, str | None)


async def verbs(storage: MemoryStorage, job: NewJobInfo) -> None:
    job_id = assert_type(await storage.push(job), UUID)
    popped = assert_type(await storage.pop("queue", RUNNER), JobInfo)
    assert_type(await storage.info(job_id), JobInfo | None)
    assert_type(await storage.heartbeat(job_id, RUNNER, popped.delivery_count), None)
    assert_type(await storage.complete(popped.returned(JobResult.SUCCESS, RUNNER)), bool)
    assert_type(await storage.push_many([job]), list[UUID])
    batch = assert_type(await storage.pop_many("queue", RUNNER, 10), list[JobInfo])
    assert_type(await storage.heartbeat_many(batch, RUNNER), list[UUID])
    assert_type(await storage.complete_many(one.unexecuted() for one in batch), list[Completion])


async def tasks(storage: MemoryStorage) -> None:
    waiting: Coroutine[Any, Any, JobInfo] = storage.pop("queue", RUNNER)
    assert_type(await waiting, JobInfo)
    assert_type(asyncio.create_task(storage.pop("queue", RUNNER)), asyncio.Task[JobInfo])
    async with asyncio.TaskGroup() as group:
        assert_type(group.create_task(storage.push(NewJobInfo("name"))), asyncio.Task[UUID])
    assert_type(await asyncio.wait_for(storage.pop("queue", RUNNER), 1), JobInfo)
    first, second = await asyncio.gather(storage.pop("queue", RUNNER), storage.pop_many("queue", RUNNER, 2))
    assert_type(first, JobInfo)
    assert_type(second, list[JobInfo])


def plain_calls(storage: MemoryStorage, job: NewJobInfo) -> None:
    job_id = assert_type(storage.push_nowait(job), UUID)
    popped = assert_type(storage.pop_nowait("queue", RUNNER), JobInfo | None)
    assert_type(storage.pop_many_nowait("queue", RUNNER, 2), list[JobInfo])
    assert_type(storage.info_nowait(job_id), JobInfo | None)
    assert_type(len(storage), int)
    storage.heartbeat_nowait(job_id, RUNNER, delivery=None)
    if popped is not None:
        assert_type(storage.complete_nowait(popped.unexecuted()), bool)


async def context(clock: FakeClock) -> None:
    async with MemoryStorage(timer=clock, clock=clock) as storage:
        assert_type(storage, MemoryStorage)
        stats = assert_type(storage.stats(), StorageStats)
        assert_type(stats.pushed, int)
        assert_type(stats.by_queue, Mapping[str, QueueStats])
        assert_type(await clock.timeout(1.0, storage.pop("queue", RUNNER)), JobInfo)


def protocols(clock: FakeClock) -> tuple[list[Storage], list[BatchStorage], list[Clock], list[Timer]]:
    memory = MemoryStorage(clock=time)
    return [memory], [memory], [clock, time], [clock]


async def generic(storage: Storage) -> None:
    job = assert_type(await storage.pop("queue", RUNNER), JobInfo)
    assert_type(asyncio.create_task(storage.pop("queue", RUNNER)), asyncio.Task[JobInfo])
    assert_type(await storage.complete(job.unexecuted()), bool)
    if isinstance(storage, BatchStorage):
        assert_type(await storage.complete_many([]), list[Completion])


def errors(error: JobcoreError) -> None:
    match error:
        case LeaseLost():
            assert_type(error.job_id, UUID)
        case InvalidJob():
            assert_type((error.field, error.reason), tuple[str, str])
        case StorageClosed():
            assert_type(error.reason, str)
        case _:
            pass


def below(index: JobIndex, handle: object) -> None:
    assert_type(index.insert(RUNNER, handle, queue="queue", priority=1, due=0, lease=1), bool)
    assert_type(index.pop("queue", RUNNER, 0, 0), tuple[UUID, Any, int, int, int] | None)
    assert_type(index.walk("queue", 3, wall=0), list[tuple[UUID, Any, int, int, int]])
    assert_type(index.queues(), dict[str, tuple[int, int]])
    assert_type(index.running, int)
    assert_type(RUNNER in index, bool)


def model(storage: ModelStorage, job: NewJobInfo) -> None:
    assert_type(storage.push(job, wall=0), UUID)
    assert_type(storage.pop("queue", RUNNER, wall=0, monotonic=0), JobInfo | None)


class TestMyStorage(StorageConformance):
    def open_storage(self, clock: FakeClock) -> MemoryStorage:
        return MemoryStorage(clock=clock, timer=clock)


async def durable() -> None:
    assert_type(open_storage("memory://"), MemoryStorage | SqliteStorage | PostgresStorage)
    storage: BatchStorage = SqliteStorage("jobs.db", synchronous="normal", migrate=False)
    assert_type(await storage.push_many([]), list[UUID])
    async with SqliteStorage("jobs.db") as opened:
        assert_type(opened, SqliteStorage)
        assert_type(await opened.stats(), StorageStats)
