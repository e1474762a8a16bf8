"""chancy, with its executor for coroutines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bench.peers.adapter import Adapter, Jobs
from bench.peers.adapters.databases import count_rows, database_size

if TYPE_CHECKING:
    from collections.abc import Awaitable

adapter: Chancy


async def job(*, number: int, sent: int) -> None:  # noqa: ARG001  (it is found by the name of its module)
    await adapter.handle(sent)


class Chancy(Adapter):
    title = "chancy"
    note = "AsyncExecutor, eager_polling, 50 jobs at once; writes completions once a second, so a crash repeats more"
    imports = "from chancy import Chancy, Worker"
    distributions = ("chancy", "psycopg")
    against = "jobcore-postgres"
    jobs = 4_000
    at_once = 50

    async def open(self) -> None:
        import chancy

        global adapter  # noqa: PLW0603  (as above)
        adapter = self
        self.chancy = chancy
        self.app = chancy.Chancy(self.place, no_default_plugins=True)
        await self.app.__aenter__()
        await self.app.migrate()
        self.job = chancy.job()(getattr(sys.modules[__name__], "job")).job  # noqa: B009
        queue = chancy.Queue(
            "default", concurrency=self.concurrency, executor=self.app.Executor.Async, eager_polling=True
        )
        await self.app.declare(queue, upsert=True)

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        pushing: Awaitable[Any] = self.app.push(self.job.with_kwargs(number=number, sent=sent))
        return pushing

    async def enqueue_many(self, jobs: Jobs) -> None:
        new = [self.job.with_kwargs(number=number, sent=sent) for number, sent in jobs]
        async for _ in self.app.push_many(new):
            pass

    async def work(self) -> None:
        self.working = self.chancy.Worker(self.app, register_signal_handlers=False)
        await self.working.__aenter__()

    async def unfinished(self) -> int:
        return await count_rows(self.place, "chancy_jobs", "state IN ('pending', 'running', 'retrying')")

    async def size(self) -> int:
        return await database_size(self.place)
