"""The limit of SQLite: what our own tables can take, by plain statements of `sqlite3` on one thread."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from bench.peers.adapter import Adapter, Jobs
from bench.resident import folder_size

RUNNER = UUID(int=7).bytes
HEARTBEAT = 5_000_000
BATCH = 100
RESTS = 40_000  # the first lane of those that cannot be popped
LEASED = 40_001

PUSH = f"""
INSERT INTO job (id, due, name, args, queue, priority, max_retries, backoff, heartbeat, lane, at)
VALUES (?1, ?2, 'job', ?3, 'default', 0, 5, '', {HEARTBEAT}, 0, ?2)"""
CLAIM = f"""
UPDATE job SET lane = {LEASED}, at = ?1 + 5 * heartbeat, deliveries = deliveries + 1, runner = ?2 WHERE place IN (
    SELECT place FROM job WHERE queue = 'default' AND lane < {RESTS} ORDER BY lane, at, place LIMIT ?3)
RETURNING place, args"""
REMOVE = "DELETE FROM job WHERE place = ?1 AND runner = ?2"


class OneByOne(Adapter):
    title = "SQLite itself, one by one"
    note = "our own tables by sqlite3, synchronous=full, a transaction for each push, each pop and each completion"
    imports = "import sqlite3"
    against = "jobcore-sqlite-storage"
    environment = ""
    is_peer = False
    jobs = 1_500
    batch = 1
    leaves_out: ClassVar[tuple[str, ...]] = ("enqueue-64", "drain-1ms", "pickup-one", "pickup-two", "start")

    async def open(self) -> None:
        from jobcore._ids import uuid7
        from jobcore.sqlite import schema
        from jobcore.sqlite.database import PRAGMAS

        self.new_id = uuid7
        self.path = Path(self.place, "jobs.db")
        self.connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        for pragma in ("PRAGMA journal_mode = wal", "PRAGMA synchronous = full", *PRAGMAS):
            self.connection.execute(pragma)
        self.connection.executescript(schema.script())

    def enqueue(self, number: int, sent: int) -> None:
        self.push([(number, sent)])

    def push(self, jobs: Jobs) -> None:
        now = time.time_ns() // 1000
        rows = [
            (self.new_id().bytes, now, json.dumps({"number": number, "sent": sent}).encode()) for number, sent in jobs
        ]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(PUSH, rows)
        self.connection.execute("COMMIT")

    def claim(self, limit: int) -> list[tuple[Any, ...]]:
        self.connection.execute("BEGIN IMMEDIATE")
        rows: list[tuple[Any, ...]] = self.connection.execute(CLAIM, (time.time_ns() // 1000, RUNNER, limit)).fetchall()
        self.connection.execute("COMMIT")
        return rows

    def remove(self, rows: list[tuple[Any, ...]]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(REMOVE, [(place, RUNNER) for place, _ in rows])
        self.connection.execute("COMMIT")

    async def work(self) -> None:
        thread = threading.Thread(target=self._work)
        thread.start()

    def _work(self) -> None:
        while True:
            rows = self.claim(self.batch)
            for row in rows:
                self.probe.begin(json.loads(row[1])["sent"])
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
