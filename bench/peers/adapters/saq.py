"""saq, on PostgreSQL and on Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from bench.peers.adapter import Adapter
from bench.peers.adapters.databases import count_rows, database_size
from bench.peers.adapters.valkeys import used_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable


class SaqOnPostgres(Adapter):
    title = "saq, PostgreSQL"
    note = "50 jobs at once, results not kept; a killed worker's jobs come back after their timeout"
    imports = "from saq import Queue, Worker"
    distributions: ClassVar[tuple[str, ...]] = ("saq", "psycopg")
    against = "jobcore-postgres"
    jobs = 500
    at_once = 50
    queue: Any

    def make(self) -> Any:
        from saq import Queue

        return Queue.from_url(self.place, min_size=4, max_size=20)

    async def open(self) -> None:
        self.queue = self.make()
        await self.queue.connect()

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        pushing: Awaitable[Any] = self.queue.enqueue("job", number=number, sent=sent, ttl=-1)
        return pushing

    async def work(self) -> None:
        from saq import Worker

        async def job(_: Any, *, number: int, sent: int) -> None:  # noqa: ARG001
            await self.handle(sent)

        worker = Worker(self.queue, functions=[("job", job)], concurrency=self.concurrency)
        worker.SIGNALS = []
        self.working = asyncio.create_task(worker.start())

    async def unfinished(self) -> int:
        return await count_rows(self.place, "saq_jobs", "status IN ('new', 'queued', 'active')")

    async def size(self) -> int:
        return await database_size(self.place)


class SaqOnRedis(SaqOnPostgres):
    title = "saq, Valkey"
    note = (
        "50 jobs at once, results not kept; jobs are lost with the server; "
        "a killed worker's come back after their timeout"
    )
    distributions: ClassVar[tuple[str, ...]] = ("saq", "redis", "hiredis")
    jobs = 1_500

    def make(self) -> Any:
        from saq import Queue

        return Queue.from_url(self.place)

    async def unfinished(self) -> int:
        return int(await self.queue.count("incomplete"))

    async def size(self) -> int:
        return used_memory(self.place)
