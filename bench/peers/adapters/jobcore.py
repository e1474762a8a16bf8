"""Ours: as an app with a worker, and as a bare storage, which is compared with what is a queue and nothing more."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from bench.peers.adapter import Adapter, Jobs
from bench.resident import folder_size, resident_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from jobcore.app._job import Job
    from jobcore.memory import MemoryStorage

RUNNER = UUID(int=7)
COMPILED = {"JOBCORE_IMPLEMENTATION": "cpp"}
PURE = {"JOBCORE_IMPLEMENTATION": "python"}


class InMemory(Adapter):
    title = "jobcore"
    note = "App and Worker on a MemoryStorage, 1000 jobs at once"
    imports = "from jobcore import App, Worker"
    is_peer = False
    distributions: ClassVar[tuple[str, ...]] = ("jobcore",)
    environment = ""
    variables = COMPILED
    jobs = 200_000
    at_once = 1000
    job: Job[[int, int], [int, int], Any]

    @property
    def url(self) -> str:
        return "memory://"

    async def open(self) -> None:
        from jobcore import App

        async def job(number: int, sent: int) -> None:  # noqa: ARG001
            await self.handle(sent)

        self.app = App(self.url)
        self.job = self.app.job(job)
        await self.app.__aenter__()
        await self.unfinished()  # so that the tables are there before a second process looks for them

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        return self.job.push(number, sent)

    def enqueue_many(self, jobs: Jobs) -> Awaitable[Any]:
        return self.job.push_many(jobs)

    async def work(self) -> None:
        from jobcore import Worker

        self.working = Worker(self.app, {"default": self.concurrency})
        await self.working.__aenter__()

    async def unfinished(self) -> int:
        return await jobs_in(self.app.storage)

    async def size(self) -> int:
        return resident_memory()


class InPurePython(InMemory):
    title = "jobcore, pure Python"
    note = "the same without extension modules"
    variables = PURE
    against = "jobcore-memory"
    jobs = 20_000


class InSqlite(InMemory):
    title = "jobcore"
    note = "App and Worker on a SqliteStorage, synchronous=full, 1000 jobs at once"
    jobs = 50_000

    @property
    def url(self) -> str:
        return f"sqlite:///{self.place}/jobs.db"

    async def size(self) -> int:
        return folder_size(self.place)


class InPostgres(InMemory):
    title = "jobcore"
    note = "App and Worker on a PostgresStorage, 1000 jobs at once"
    jobs = 40_000
    distributions: ClassVar[tuple[str, ...]] = ("jobcore", "asyncpg")

    @property
    def url(self) -> str:
        return self.place

    async def size(self) -> int:
        return await database_size(self.place)


class Storage(Adapter):
    """Push, pop and complete, without an app; a loop for a worker."""

    title = "jobcore, storage alone"
    note = "MemoryStorage: push, pop, complete"
    imports = "from jobcore import App, Worker"
    is_peer = False
    distributions: ClassVar[tuple[str, ...]] = ("jobcore",)
    environment = ""
    variables = COMPILED
    jobs = 300_000
    storage: Any

    def make(self) -> MemoryStorage:
        from jobcore import MemoryStorage

        return MemoryStorage()

    async def open(self) -> None:
        from jobcore import JobResult, NewJobInfo

        self.new, self.success = NewJobInfo, JobResult.SUCCESS
        self.storage = self.make()
        await self.storage.__aenter__()

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        pushed: Awaitable[Any] = self.storage.push(self.new("job", {"number": number, "sent": sent}))
        return pushed

    def enqueue_many(self, jobs: Jobs) -> Awaitable[Any]:
        new = self.new
        done: Awaitable[Any] = self.storage.push_many(
            [new("job", {"number": number, "sent": sent}) for number, sent in jobs]
        )
        return done

    async def work(self) -> None:
        self.working = [asyncio.create_task(self._work()) for _ in range(self.concurrency if self.pause else 1)]

    async def _work(self) -> None:
        storage, success, pause, begin = self.storage, self.success, self.pause, self.probe.begin
        while True:
            job = await storage.pop("default", RUNNER)
            begin(job.args["sent"])
            if pause:
                await asyncio.sleep(pause)
            await storage.complete(job.returned(success, RUNNER))

    async def unfinished(self) -> int:
        return await jobs_in(self.storage)

    async def size(self) -> int:
        return resident_memory()

    async def cycle(self, times: int) -> None:
        storage = self.storage
        for number in range(times):
            await self.enqueue(number, 0)
            job = await storage.pop("default", RUNNER)
            await storage.complete(job.returned(self.success, RUNNER))

    async def hold(self, count: int) -> None:
        held = 0
        while held < count:
            held += len(await self.storage.pop_many("default", UUID(int=8), count - held))


class SqliteStorageAlone(Storage):
    note = "SqliteStorage, synchronous=full: one call after the other, so one transaction a call"
    jobs = 1_500

    def make(self) -> Any:
        from jobcore import SqliteStorage

        return SqliteStorage(Path(self.place, "jobs.db"))

    async def size(self) -> int:
        return folder_size(self.place)


class PostgresStorageAlone(Storage):
    """For the growth alone: no peer is a queue in PostgreSQL and nothing more."""

    note = "PostgresStorage: push, pop and complete, one call after the other"
    jobs = 1_000
    leaves_out = ("enqueue", "enqueue-64", "enqueue-batch", "drain", "drain-1ms", "pickup-two", "size", "start")
    distributions: ClassVar[tuple[str, ...]] = ("jobcore", "asyncpg")

    def make(self) -> Any:
        from jobcore import PostgresStorage

        return PostgresStorage(self.place)

    async def size(self) -> int:
        return await database_size(self.place)


async def jobs_in(storage: Any) -> int:
    """Jobs that are not acknowledged."""
    stats = storage.stats()
    return int((await stats if inspect.isawaitable(stats) else stats).jobs)


async def database_size(url: str) -> int:
    """Bytes that a database of PostgreSQL takes."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT pg_database_size($1)", urlsplit(url).path.lstrip("/")))
    finally:
        await connection.close()
