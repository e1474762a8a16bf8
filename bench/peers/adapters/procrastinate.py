"""procrastinate, with its psycopg connector and LISTEN/NOTIFY."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench.peers.adapter import Adapter, Jobs
from bench.peers.adapters.databases import count_rows, database_size

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Procrastinate(Adapter):
    title = "procrastinate"
    note = (
        "10 jobs at once (more is no faster), delete_jobs=successful; "
        "no leases: a stalled job waits for a task of the user's"
    )
    imports = "import procrastinate"
    distributions = ("procrastinate", "psycopg")
    against = "jobcore-postgres"
    jobs = 600
    at_once = 10

    async def open(self) -> None:
        from procrastinate import App, PsycopgConnector

        async def job(number: int, sent: int) -> None:  # noqa: ARG001
            await self.handle(sent)

        self.app = App(connector=PsycopgConnector(conninfo=self.place, min_size=4, max_size=20))
        self.task: Any = self.app.task(name="job")(job)
        await self.app.open_async()
        if not await count_rows(self.place, "pg_class", "relname = 'procrastinate_jobs'"):
            await self.app.schema_manager.apply_schema_async()

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        deferring: Awaitable[Any] = self.task.defer_async(number=number, sent=sent)
        return deferring

    def enqueue_many(self, jobs: Jobs) -> Awaitable[Any]:
        deferring: Awaitable[Any] = self.task.batch_defer_async(
            *({"number": number, "sent": sent} for number, sent in jobs)
        )
        return deferring

    async def work(self) -> None:
        self.working = asyncio.create_task(
            self.app.run_worker_async(
                concurrency=self.concurrency, install_signal_handlers=False, delete_jobs="successful"
            )
        )

    async def unfinished(self) -> int:
        return await count_rows(self.place, "procrastinate_jobs", "status IN ('todo', 'doing')")

    async def size(self) -> int:
        return await database_size(self.place)
