"""Queues in memory that are nothing but queues: no ids, no leases, no retries, and what is put in is what comes out."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

from bench.peers.adapter import Adapter
from bench.resident import resident_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable


class AsyncioQueue(Adapter):
    title = "asyncio.PriorityQueue"
    note = "put, get, task_done; one loop only; what a stopped worker had taken is lost"
    imports = "import asyncio"
    against = "jobcore-memory-storage"
    environment = ""
    jobs = 300_000
    queue: Any

    def make(self) -> Any:
        return asyncio.PriorityQueue()

    async def open(self) -> None:
        self.numbers = count()
        self.queue = self.make()

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        put: Awaitable[Any] = self.queue.put((0, next(self.numbers), "job", {"number": number, "sent": sent}))
        return put

    async def work(self) -> None:
        self.working = [asyncio.create_task(self._work()) for _ in range(self.concurrency if self.pause else 1)]

    async def _work(self) -> None:
        queue, pause, begin = self.queue, self.pause, self.probe.begin
        for number in count():
            *_, args = await queue.get()
            begin(args["sent"])
            if pause:
                await asyncio.sleep(pause)
            queue.task_done()
            if not number % 1000:  # such a queue does not let the loop run while there is something in it
                await asyncio.sleep(0)

    async def unfinished(self) -> int:
        return int(self.queue._unfinished_tasks)  # noqa: SLF001  (nothing else tells without waiting)

    async def size(self) -> int:
        return resident_memory()

    async def cycle(self, times: int) -> None:
        queue = self.queue
        for number in range(times):
            await self.enqueue(number, 0)
            await queue.get()
            queue.task_done()

    async def hold(self, count: int) -> None:
        self.held = [await self.queue.get() for _ in range(count)]


class Culsans(AsyncioQueue):
    title = "culsans"
    note = "PriorityQueue().async_q; for threads and loops; what a stopped worker had taken is lost"
    imports = "import culsans"
    distributions = ("culsans",)
    environment = "peers"
    jobs = 100_000

    def make(self) -> Any:
        import culsans

        self.owner = culsans.PriorityQueue()
        return self.owner.async_q

    async def unfinished(self) -> int:
        return int(self.owner.unfinished_tasks)


class Janus(AsyncioQueue):
    title = "janus"
    note = "PriorityQueue().async_q; for threads and one loop; what a stopped worker had taken is lost"
    imports = "import janus"
    distributions = ("janus",)
    environment = "peers"
    jobs = 100_000

    def make(self) -> Any:
        import janus

        self.owner: Any = janus.PriorityQueue()
        return self.owner.async_q

    async def unfinished(self) -> int:
        return int(self.owner._unfinished_tasks)  # noqa: SLF001  (as above)
