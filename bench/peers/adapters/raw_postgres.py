"""The limits of PostgreSQL: what our own tables can take by the bare driver, and what less can by pgbench."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bench.peers.adapter import Adapter, Jobs
from bench.peers.adapters.databases import count_rows, database_size
from bench.peers.cpu import Meter

if TYPE_CHECKING:
    from bench.peers.measures import Plan, Result

RUNNER = UUID(int=7)
BATCH = 1000

PUSH = """
INSERT INTO jobcore.job (id, name, args, queue, priority, max_retries, backoff, heartbeat)
SELECT id, 'job', args, 'default', 0, 5, NULL, 5000000 FROM unnest($1::uuid[], $2::text[]) AS new(id, args)"""
CLAIM = """
UPDATE jobcore.job
SET until = clock_timestamp() + heartbeat * interval '5 microseconds', runner = $1, deliveries = deliveries + 1
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM jobcore.job WHERE queue = 'default' AND until IS NULL
    ORDER BY priority DESC, due, place LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING id, args"""
REMOVE = "DELETE FROM jobcore.job WHERE id = ANY ($1::uuid[]) AND runner = $2"


class BareDriver(Adapter):
    title = "asyncpg, bare"
    note = "our own tables: up to 1000 jobs claimed and up to 1000 removed in a transaction, by one connection"
    imports = "import asyncpg"
    distributions = ("asyncpg",)
    against = "jobcore-postgres"
    environment = ""
    is_peer = False
    jobs = 40_000
    leaves_out = ("enqueue-64", "drain-1ms", "pickup-two", "start")

    async def open(self) -> None:
        import asyncpg

        from jobcore import PostgresStorage
        from jobcore._ids import uuid7
        from jobcore.postgres.statements import TUNING

        async with PostgresStorage(self.place) as storage:
            await storage.stats()
        self.new_id = uuid7
        self.connection: Any = await asyncpg.connect(self.place, server_settings=TUNING)

    async def enqueue(self, number: int, sent: int) -> None:
        await self.enqueue_many([(number, sent)])

    async def enqueue_many(self, jobs: Jobs) -> None:
        args = [json.dumps({"number": number, "sent": sent}) for number, sent in jobs]
        await self.connection.execute(PUSH, [self.new_id() for _ in jobs], args)

    async def work(self) -> None:
        self.left = 1
        self.working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while True:
            records = await self.connection.fetch(CLAIM, RUNNER, BATCH)
            self.left = len(records)
            for record in records:
                self.probe.begin(json.loads(record["args"])["sent"])
            if records:
                await self.connection.execute(REMOVE, [record["id"] for record in records], RUNNER)
            else:
                await asyncio.sleep(0.001)

    async def unfinished(self) -> int:
        return self.left

    async def size(self) -> int:
        return await database_size(self.place)


class PgBench(Adapter):
    title = "PostgreSQL itself, by pgbench"
    note = (
        "INSERT of a row of two columns, and DELETE of the first row (SKIP LOCKED) in one transaction: "
        "no driver in Python, no lease, no priority; 1 client for one by one, else 16"
    )
    imports = ""
    against = "jobcore-postgres"
    environment = ""
    is_peer = False
    jobs = 10_000
    leaves_out = ("enqueue-batch", "drain-1ms", "pickup-two", "size", "start")
    instead = ("enqueue", "enqueue-64", "drain")

    async def open(self) -> None:
        import asyncpg

        connection = await asyncpg.connect(self.place)
        if not await count_rows(self.place, "pg_class", "relname = 'job'"):
            await connection.execute("CREATE TABLE job (id bigserial PRIMARY KEY, args text)")
        await connection.close()

    async def measure(self, name: str, plan: Plan) -> Result:
        """In place of the common way."""
        push = """INSERT INTO job (args) VALUES ('{"number": 1, "sent": 0}');"""
        take = (
            "DELETE FROM job WHERE id = (SELECT id FROM job ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING args;"
        )
        if name == "drain":
            import asyncpg

            connection = await asyncpg.connect(self.place)
            await connection.execute(
                'INSERT INTO job (args) SELECT \'{"number": 1, "sent": 0}\' FROM generate_series(1, 200000)'
            )
            await connection.close()
        clients = 1 if name == "enqueue" else 16
        return await asyncio.to_thread(self._bench, take if name == "drain" else push, clients, plan)

    def _bench(self, statement: str, clients: int, plan: Plan) -> Result:
        from tests.postgres.server import ENVIRONMENT, installations

        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "script.sql")
            script.write_text(statement, "ascii")
            meter, began = Meter(plan.server), time.monotonic()
            told = subprocess.run(
                [installations()[-1].binaries / "pgbench", "--no-vacuum", "--protocol=prepared",
                 f"--client={clients}", f"--time={max(1, round(plan.seconds))}", f"--file={script}", self.place],
                check=True, capture_output=True, encoding="utf-8", env=ENVIRONMENT | {"PATH": os.environ["PATH"]},
            ).stdout  # fmt: skip
        jobs = int(re.search(r"transactions actually processed: (\d+)", told)[1])  # type: ignore[index]
        rate = float(re.search(r"tps = ([\d.]+)", told)[1])  # type: ignore[index]
        return {
            "rate": rate,
            "jobs": jobs,
            "seconds": time.monotonic() - began,
            "server_cpu": meter.spent(jobs)["server_cpu"],
        }
