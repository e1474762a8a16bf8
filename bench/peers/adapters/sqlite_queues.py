"""Queues in a SQLite file that are nothing but queues. A loop in a thread is the worker."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from bench.peers.adapter import Adapter
from bench.resident import folder_size

POLL = 0.01


class Threaded(Adapter):
    """What the two have in common: threads that take, handle and acknowledge, and look again after 10 ms."""

    against = "jobcore-sqlite-storage"

    async def open(self) -> None:
        self.local = threading.local()
        self.queue()

    def queue(self) -> Any:
        """The one of this thread."""
        if not hasattr(self.local, "queue"):
            self.local.queue = self.make()
        return self.local.queue

    def make(self) -> Any:
        raise NotImplementedError

    def take(self, queue: Any) -> tuple[Any, dict[str, int]] | None:
        """A job and its arguments."""
        raise NotImplementedError

    def done(self, queue: Any, job: Any) -> None:
        raise NotImplementedError

    async def work(self) -> None:
        threads = [threading.Thread(target=self._work) for _ in range(self.concurrency if self.pause else 1)]
        for thread in threads:
            thread.start()

    def _work(self) -> None:
        queue = self.queue()
        while True:
            taken = self.take(queue)
            if taken is None:
                time.sleep(POLL)
                continue
            self.handle_in_thread(taken[1]["sent"])
            self.done(queue, taken[0])

    async def cycle(self, times: int) -> None:
        queue = self.queue()
        for number in range(times):
            self.enqueue(number, 0)
            taken = self.take(queue)
            assert taken
            self.done(queue, taken[0])

    async def hold(self, count: int) -> None:
        queue = self.queue()
        self.held = [self.take(queue) for _ in range(count)]

    async def size(self) -> int:
        return folder_size(self.place)


class Litequeue(Threaded):
    title = "litequeue"
    note = (
        "synchronous=full set by hand (it has normal), 1 thread (64 for the millisecond), polls every 10 ms; "
        "no leases: what a killed worker had taken stays taken"
    )
    imports = "import litequeue"
    distributions = ("litequeue",)
    jobs = 1_000

    def make(self) -> Any:
        import litequeue

        queue = litequeue.LiteQueue(Path(self.place, "queue.db"), timeout=60)
        queue.conn.execute("PRAGMA synchronous = full")
        return queue

    def enqueue(self, number: int, sent: int) -> None:
        self.queue().put(json.dumps({"number": number, "sent": sent}))

    def take(self, queue: Any) -> tuple[Any, dict[str, int]] | None:
        message = queue.pop()
        return message and (message.message_id, json.loads(message.data))

    def done(self, queue: Any, job: Any) -> None:
        queue.done(job)

    async def unfinished(self) -> int:
        rows = self.queue().conn.execute("SELECT count(*) FROM Queue WHERE status < 2")
        return int(rows.fetchone()[0])


class PersistQueue(Threaded):
    title = "persist-queue, SQLiteAckQueue"
    note = (
        "WAL, synchronous=full (its default), JSON, one queue for all threads, by its documentation; "
        "1 thread (64 for the millisecond); no leases: what a killed worker had taken waits for a restart"
    )
    imports = "from persistqueue import SQLiteAckQueue"
    distributions = ("persist-queue",)
    jobs = 1_000

    async def open(self) -> None:
        from persistqueue import SQLiteAckQueue
        from persistqueue.serializers import json as serializer

        self.one = SQLiteAckQueue(self.place, multithreading=True, serializer=serializer, timeout=60)
        await super().open()

    def make(self) -> Any:
        return self.one

    def enqueue(self, number: int, sent: int) -> None:
        self.one.put({"number": number, "sent": sent})

    def take(self, queue: Any) -> tuple[Any, dict[str, int]] | None:
        from persistqueue import Empty

        try:
            job = queue.get(block=False, raw=True)
        except Empty:
            return None
        return job, job["data"]

    def done(self, queue: Any, job: Any) -> None:
        queue.ack(job)

    async def unfinished(self) -> int:
        return int(self.one.total + self.one.unack_count())
