"""The limit of SQLite: our own statements on our own tables by `sqlite3`, on one thread, with nothing around them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from bench.peers.adapter import Adapter, Jobs
from bench.resident import folder_size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RUNNER = UUID(int=7).bytes
HEARTBEAT = 5_000_000
BATCH = 100


class OneByOne(Adapter):
    title = "SQLite itself, one by one"
    note = "our own statements by sqlite3, synchronous=full, a transaction for each push, each pop and each completion"
    imports = "import sqlite3"
    against = "jobcore-sqlite-storage"
    environment = ""
    is_peer = False
    jobs = 1_500
    batch = 1
    leaves_out: ClassVar[tuple[str, ...]] = ("enqueue-64", "drain-1ms", "pickup-one", "pickup-two", "start")

    async def open(self) -> None:
        from jobcore._ids import uuid7
        from jobcore.sqlite import schema, tables
        from jobcore.sqlite.database import PRAGMAS

        self.statements, self.new_id = tables, uuid7
        self.path = Path(self.place, "jobs.db")
        self.connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        for pragma in ("PRAGMA journal_mode = wal", "PRAGMA synchronous = full", *PRAGMAS):
            self.connection.execute(pragma)
        self.connection.executescript(schema.script())
        self.stopping = threading.Event()

    async def close(self) -> None:
        self.connection.close()

    def enqueue(self, number: int, sent: int) -> None:
        self.push([(number, sent)])

    def push(self, jobs: Jobs) -> None:
        now = time.time_ns() // 1000
        rows = [
            (self.new_id().bytes, now, "job", json.dumps({"number": number, "sent": sent}).encode(), "default",
             0, 5, None, HEARTBEAT, 0)
            for number, sent in jobs
        ]  # fmt: skip
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(self.statements.PUSH, rows)
        self.connection.execute("COMMIT")

    def claim(self, limit: int) -> list[tuple[Any, ...]]:
        execute, now = self.connection.execute, time.time_ns() // 1000
        execute("BEGIN IMMEDIATE")
        rows: list[tuple[Any, ...]] = execute(self.statements.FIRST, ("default", limit)).fetchall()
        self.connection.executemany(self.statements.CLAIM, [(row[0], now, RUNNER) for row in rows])
        execute("COMMIT")
        return rows

    def remove(self, rows: list[tuple[Any, ...]]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(self.statements.REMOVE, [(row[1], RUNNER, 1) for row in rows])
        self.connection.execute("COMMIT")

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        thread = threading.Thread(target=self._work)
        thread.start()
        yield
        self.stopping.set()
        await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        while not self.stopping.is_set():
            rows = self.claim(self.batch)
            for row in rows:
                self.probe.begin(json.loads(row[3])["sent"])
            if rows:
                self.remove(rows)
            else:
                time.sleep(0.001)

    async def unfinished(self) -> int:
        return 0 if self.claimed_all() else 1

    def claimed_all(self) -> bool:
        with contextlib.closing(sqlite3.connect(self.path)) as reader:
            return reader.execute("SELECT 1 FROM job LIMIT 1").fetchone() is None

    async def cycle(self, times: int) -> None:
        for number in range(times):
            self.enqueue(number, 0)
            self.remove(self.claim(1))

    async def hold(self, count: int) -> None:
        self.claim(count)

    async def size(self) -> int:
        return folder_size(self.place)


class Batched(OneByOne):
    title = "SQLite itself, in batches"
    note = "the same with a hundred pops, and then a hundred completions, in a transaction"
    against = "jobcore-sqlite"
    jobs = 50_000
    batch = BATCH
    leaves_out: ClassVar[tuple[str, ...]] = (*OneByOne.leaves_out, "enqueue")

    def enqueue_many(self, jobs: Jobs) -> None:
        self.push(jobs)
