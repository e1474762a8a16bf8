"""Oban for Python, the free edition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.peers.adapter import Adapter, Jobs
from bench.peers.adapters.databases import count_rows, database_size

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Oban(Adapter):
    title = "Oban for Python"
    note = "100 jobs at once, Python 3.12; no leases: a killed worker's jobs come back by the clock"
    imports = "from oban import Oban"
    distributions = ("oban", "psycopg")
    against = "jobcore-postgres"
    environment = "peers-oban"
    jobs = 3_000

    async def open(self) -> None:
        from oban import Job, Oban, worker
        from oban.schema import install
        from psycopg_pool import AsyncConnectionPool

        adapter = self

        class BenchJob:
            async def process(self, job: Any) -> None:
                await adapter.handle(job.args["sent"])

        self.pool = AsyncConnectionPool(self.place, open=False, min_size=4, max_size=20, kwargs={"autocommit": True})
        await self.pool.open()
        if not await count_rows(self.place, "pg_class", "relname = 'oban_jobs'"):
            await install(self.pool)
        self.oban_class, self.job_class = Oban, Job
        self.job: Any = worker(queue="default")(BenchJob)
        self.client: Any = Oban(pool=self.pool, name="client")

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        pushing: Awaitable[Any] = self.client.enqueue(self.job.new({"number": number, "sent": sent}))
        return pushing

    def enqueue_many(self, jobs: Jobs) -> Awaitable[Any]:
        pushing: Awaitable[Any] = self.client.enqueue_many(
            *(self.job.new({"number": number, "sent": sent}) for number, sent in jobs)
        )
        return pushing

    async def work(self) -> None:
        self.working = self.oban_class(pool=self.pool, queues={"default": self.concurrency})
        await self.working.__aenter__()

    async def unfinished(self) -> int:
        return await count_rows(self.place, "oban_jobs", "state IN ('available', 'executing', 'retryable')")

    async def size(self) -> int:
        return await database_size(self.place)
