"""A storage that can be cut off, as it is for a runner that dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from jobcore.errors import StorageClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable
    from uuid import UUID

    from jobcore.jobs import Completion, JobInfo, NewJobInfo, ReturnJobInfo
    from jobcore.storage import BatchStorage

T = TypeVar("T")


class SeverableStorage:
    """Another storage, until `cut()`; then every call raises `StorageClosed`, and no answer comes through."""

    def __init__(self, storage: BatchStorage) -> None:
        self._storage = storage
        self._is_cut = False

    def cut(self) -> None:
        """What is held through here is now left to its leases."""
        self._is_cut = True

    async def info(self, job_id: UUID) -> JobInfo | None:
        """As of the storage."""
        return await self._through(self._reach().info(job_id))

    async def push(self, job: NewJobInfo) -> UUID:
        """As of the storage."""
        return await self._through(self._reach().push(job))

    async def push_many(self, jobs: Iterable[NewJobInfo]) -> list[UUID]:
        """As of the storage."""
        return await self._through(self._reach().push_many(jobs))

    async def pop(self, queue: str, runner_id: UUID) -> JobInfo:
        """As of the storage."""
        return await self._through(self._reach().pop(queue, runner_id))

    async def pop_many(self, queue: str, runner_id: UUID, limit: int) -> list[JobInfo]:
        """As of the storage."""
        return await self._through(self._reach().pop_many(queue, runner_id, limit))

    async def heartbeat(self, job_id: UUID, runner_id: UUID, delivery: int | None = None) -> None:
        """As of the storage."""
        await self._through(self._reach().heartbeat(job_id, runner_id, delivery))

    async def heartbeat_many(self, held: Iterable[JobInfo], runner_id: UUID) -> list[UUID]:
        """As of the storage."""
        return await self._through(self._reach().heartbeat_many(held, runner_id))

    async def complete(self, returned: ReturnJobInfo) -> bool:
        """As of the storage."""
        return await self._through(self._reach().complete(returned))

    async def complete_many(self, returned: Iterable[ReturnJobInfo]) -> list[Completion]:
        """As of the storage."""
        return await self._through(self._reach().complete_many(returned))

    def _reach(self) -> BatchStorage:
        if self._is_cut:
            raise StorageClosed("its runner was killed")
        return self._storage

    async def _through(self, answer: Awaitable[T]) -> T:
        result = await answer
        self._reach()
        return result
