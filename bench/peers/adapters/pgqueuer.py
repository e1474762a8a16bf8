"""pgqueuer, with asyncpg on uvloop, as its benchmarks are run."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bench.peers.adapter import Adapter, Jobs
from bench.peers.adapters.databases import count_rows, database_size

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Pgqueuer(Adapter):
    title = "pgqueuer"
    note = "asyncpg, uvloop, batches of 100; no fencing; a log of all jobs grows until the user prunes it"
    imports = "from pgqueuer import PgQueuer"
    distributions = ("pgqueuer", "asyncpg", "uvloop")
    against = "jobcore-postgres"
    loop = "uvloop"
    jobs = 10_000

    async def open(self) -> None:
        import asyncpg
        from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
        from pgqueuer.queries import Queries

        self.pool = await asyncpg.create_pool(self.place, min_size=4, max_size=20)
        self.pushing = Queries(AsyncpgPoolDriver(self.pool))
        self.connection = await asyncpg.connect(self.place)
        self.driver = AsyncpgDriver(self.connection)
        if not await count_rows(self.place, "pg_class", "relname = 'pgqueuer'"):
            await Queries(self.driver).install()

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        pushing: Awaitable[Any] = self.pushing.enqueue("job", json.dumps({"number": number, "sent": sent}).encode())
        return pushing

    def enqueue_many(self, jobs: Jobs) -> Awaitable[Any]:
        payloads = [json.dumps({"number": number, "sent": sent}).encode() for number, sent in jobs]
        pushing: Awaitable[Any] = self.pushing.enqueue(["job"] * len(jobs), payloads, [0] * len(jobs))
        return pushing

    async def work(self) -> None:
        from pgqueuer import PgQueuer

        async def job(job: Any) -> None:
            await self.handle(json.loads(job.payload)["sent"])

        manager = PgQueuer(self.driver)
        manager.entrypoint("job")(job)
        self.working = asyncio.create_task(
            manager.run(batch_size=self.concurrency, dequeue_timeout=timedelta(seconds=1))
        )

    async def cycle(self, times: int) -> None:
        from pgqueuer.ports.repository import EntrypointExecutionParameter

        queries, manager = self.pushing, uuid4()
        for number in range(times):
            await self.enqueue(number, 0)
            jobs = await queries.dequeue(
                1, {"job": EntrypointExecutionParameter(0)}, manager, None, timedelta(seconds=30)
            )
            await queries.log_jobs([(jobs[0], "successful", None)])

    async def unfinished(self) -> int:
        return await count_rows(self.place, "pgqueuer")

    async def size(self) -> int:
        return await database_size(self.place)
