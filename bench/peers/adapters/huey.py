"""huey, with its consumer's threads; results are not kept, and the periodic scheduler is off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.peers.adapter import Adapter
from bench.resident import folder_size, resident_memory


class HueyInMemory(Adapter):
    title = "huey, MemoryHuey"
    note = "1 thread (64 for the millisecond), polls every 10 ms; what a killed worker had taken is lost"
    imports = "from huey import MemoryHuey"
    distributions = ("huey",)
    against = "jobcore-memory"
    jobs = 60_000
    at_once = 1
    poll = 0.01
    huey: Any

    def make(self) -> Any:
        from huey import MemoryHuey

        return MemoryHuey(results=False)

    async def open(self) -> None:
        def job(number: int, sent: int) -> None:  # noqa: ARG001
            self.handle_in_thread(sent)

        self.huey = self.make()
        self.task = self.huey.task()(job)

    def enqueue(self, number: int, sent: int) -> None:
        self.task(number, sent)

    async def work(self) -> None:
        consumer = self.huey.create_consumer(
            workers=self.concurrency, worker_type="thread", periodic=False,
            initial_delay=self.poll, max_delay=self.poll, check_worker_health=False,
        )  # fmt: skip
        consumer.start()

    async def unfinished(self) -> int:
        # It has no acknowledgement: a job is gone when it is taken.
        return int(self.huey.pending_count())

    async def size(self) -> int:
        return resident_memory()


class HueyInSqlite(HueyInMemory):
    title = "huey, SqliteHuey"
    note = (
        "WAL, synchronous=full (its default), 1 thread (64 for the millisecond), polls every 10 ms; "
        "one transaction, which removes the job before it runs: what a killed worker had taken is lost"
    )
    against = "jobcore-sqlite"
    jobs = 4_000

    def make(self) -> Any:
        from huey import SqliteHuey

        return SqliteHuey(filename=str(Path(self.place, "huey.db")), results=False, fsync=True)

    async def size(self) -> int:
        return folder_size(self.place)
