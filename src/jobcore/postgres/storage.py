"""`PostgresStorage`: the storage in a PostgreSQL database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jobcore._durable.storage import DurableStorage
from jobcore._ids import uuid7
from jobcore.errors import InvalidJobType, NotInstalled
from jobcore.jobs import JobInfo, NewJobInfo
from jobcore.jobs._checks import check_all
from jobcore.postgres.enqueue import enqueue
from jobcore.postgres.rows import row_of, row_of_stored
from jobcore.postgres.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from asyncpg import Pool, Record

    from jobcore.storage import Clock


class PostgresStorage(DurableStorage):
    """Jobs in a PostgreSQL database: a `BatchStorage` for any number of processes on any number of machines.

    `source` is a URL (`postgresql://user:password@host/database`), or a pool of asyncpg, whose loop the storage then
    works on; it opens up to `connections` of its own, and one more to listen. Its tables are in `schema`, made or
    brought up to date at the first call or by `async with`; with `migrate=False` a schema that lacks them is refused.
    `listen=False` is for a pooler in transaction mode, such as PgBouncer: it then polls, four times a second while a
    pop waits. A call returns when its transaction is durable, by the settings of the server. `clock` is for tests; the
    time is the server's.

    Raises `ValueError` for a URL that is none, and for a schema that is no plain name; `NotInstalled` without asyncpg.
    """

    def __init__(
        self,
        source: str | Pool[Record],
        *,
        schema: str = "jobcore",
        migrate: bool = True,
        listen: bool = True,
        connections: int = 4,
        clock: Clock = time,
    ) -> None:
        if connections < 1:
            raise ValueError(f"connections must be at least 1, not {connections!r}")
        self._statements = Statements(schema)
        try:
            from jobcore.postgres.engine import engine_of  # noqa: PLC0415  (this class is there without the driver)
        except ModuleNotFoundError as error:
            raise NotInstalled("asyncpg", "postgres") from error
        engine = engine_of(source, self._statements, clock, migrate=migrate, listen=listen, connections=connections)
        super().__init__(engine, clock)

    async def push(self, job: NewJobInfo, *, connection: object = None) -> UUID:
        """Put a job into its queue and return its id; if its id is there already, change nothing.

        With a `connection` of yours (asyncpg, psycopg or SQLAlchemy, all async) it is pushed inside the transaction
        that is open there, and is there if and only if that commits.
        """
        if not isinstance(job, NewJobInfo):
            raise InvalidJobType("job", "a NewJobInfo", job)
        job_id = job.id or uuid7()
        await self._push([row_of(job, job_id)], connection, fresh=_is_fresh(job))
        return job_id

    async def push_many(self, jobs: Iterable[NewJobInfo], *, connection: object = None) -> list[UUID]:
        """Push all of these jobs, or none of them; the ids in their order. `connection` is as for `push`."""
        fresh = True
        ids: list[UUID] = []
        rows: list[tuple[Any, ...]] = []
        for job in check_all("job", jobs, NewJobInfo):
            fresh = fresh and _is_fresh(job)
            ids.append(job.id or uuid7())
            rows.append(row_of(job, ids[-1]))
        await self._push(rows, connection, fresh=fresh)
        return ids

    async def _push(self, rows: list[tuple[Any, ...]], connection: object, *, fresh: bool) -> None:
        if connection is None:
            await self._call("push", rows, fresh)
            return
        self._check_open()
        if rows:
            queues = list({row[3] for row in rows})
            await enqueue(connection, self._statements.push, [None, *map(list, zip(*rows, strict=True)), queues])

    async def receive(self, jobs: Iterable[JobInfo]) -> None:
        """Put these in as they are, kept from the runners; known ids change nothing."""
        await self._call("receive", [row_of_stored(job) for job in check_all("job", jobs, JobInfo)])

    def migrations(self) -> str:
        """The SQL that makes the schema, for those who run their migrations themselves."""
        from jobcore.postgres import schema as schemas  # noqa: PLC0415  (see `__init__`)

        schema = self._statements.schema
        return f"CREATE SCHEMA IF NOT EXISTS {schema};\n\n{schemas.migrations(schema)}"


def _is_fresh(job: NewJobInfo) -> bool:
    """Whether it cannot be there already, and is due at once."""
    return job.id is None and job.next_queue is None
