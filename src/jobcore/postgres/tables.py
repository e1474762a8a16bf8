"""The verbs as statements on a connection. They know no waiting, no groups and no threads.

Ids come and go as 16 bytes, jobs as the rows of `rows`; what a verb has to say beside its result, how much of what
happened and in which queues there may be something new, lies in its `News`.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from asyncpg.pgproto.pgproto import UUID as WireUUID  # noqa: N811  (made of bytes in a tenth of the time)

from jobcore._time import later, to_datetime, to_microseconds
from jobcore.jobs import Completion, JobInfo, JobResult
from jobcore.jobs._job import loaded, retried
from jobcore.postgres.statements import COPIED, STEP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from jobcore.jobs import ReturnJobInfo
    from jobcore.postgres.rows import Row
    from jobcore.postgres.sources import AnyConnection
    from jobcore.postgres.statements import Statements
    from jobcore.storage import Clock

Fence = tuple[bytes | None, int | None]
Back = tuple[bytes, Fence, "ReturnJobInfo"]

FEWEST_COPIED = 200
"""From so many rows on, a COPY is faster than an INSERT."""

_REMOVING = {JobResult.SUCCESS: "completed", JobResult.DEAD: "dead"}
_JOB_WIDTH = 13


class News:
    """What happened: how often what, and where something may have come to be there."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.changed: set[str] = set()


class Tables:
    """The tables of one schema, by a clock: the server's for the module `time`."""

    def __init__(self, statements: Statements, clock: Clock) -> None:
        self.statements = statements
        self._clock = clock

    def moment(self) -> datetime | None:
        """What time it is for the statements; None is the server's time."""
        return None if self._clock is time else to_datetime(self._clock.time_ns() // 1000)

    async def info(self, connection: AnyConnection, job_id: bytes) -> JobInfo | None:
        """The job, or None."""
        record = await connection.fetchrow(self.statements.info, WireUUID(job_id))
        return None if record is None else _job(record)

    async def push(self, connection: AnyConnection, rows: Sequence[Row], tell: Sequence[str]) -> int:
        """Insert these jobs, but for those that are there, and tell of these queues; how many were new."""
        columns = list(zip(*rows, strict=True)) or [()] * 10
        added: int = await connection.fetchval(self.statements.push, self.moment(), *columns, tell)
        return added

    async def copy(self, connection: AnyConnection, rows: Sequence[Row], tell: Sequence[str]) -> int:
        """As `push`, for jobs that are new and due at once; inside a transaction."""
        now = self.moment()
        columns = list(zip(*rows, strict=True))[:8]
        if now is not None:
            columns.append((now,) * len(rows))
        names = COPIED[: len(columns)]
        await connection.copy_records_to_table(
            "job", schema_name=self.statements.schema, columns=names, records=zip(*columns, strict=True)
        )
        await connection.fetch(self.statements.notify, tell)
        return len(rows)

    async def claim(
        self, connection: AnyConnection, queue: str, runners: Sequence[UUID], *, in_order: bool
    ) -> list[Record]:
        """Lease the first jobs that can be popped to these runners, one each; `popped` and `claim_of` read the rows.

        With `in_order`, none while there are jobs whose rest is over, which could be earlier ones.
        """
        claimed: list[Record] = await connection.fetch(self.statements.claim, self.moment(), queue, runners, in_order)
        return claimed

    async def rise(self, connection: AnyConnection, queue: str) -> bool:
        """Let those whose rest is over be popped, but for what others have locked; False if there may be more."""
        done: str = await connection.execute(self.statements.rise, self.moment(), queue)
        return int(done.rpartition(" ")[2]) < STEP

    async def ahead(self, connection: AnyConnection, queue: str) -> tuple[int | None, int | None]:
        """Microseconds until a next rest is over, and until the first of the ready is due (0 or less: it is)."""
        ((rest, ready),) = await connection.fetch(self.statements.ahead, self.moment(), queue)
        return rest, ready

    async def undo(self, connection: AnyConnection, taken: Sequence[Row]) -> News:
        """Put claims back as if they had never been, by what `claim_of` said of them."""
        news = News()
        undone = await connection.fetch(self.statements.undo, *zip(*sorted(taken), strict=True))
        news.counts["popped"] = -len(undone)
        news.counts["reclaimed"] = -sum(held_before for (held_before,) in undone)
        return news

    async def heartbeat(self, connection: AnyConnection, beats: Sequence[tuple[bytes, bytes, int | None]]) -> set[int]:
        """Renew these leases, by id, runner and delivery; the positions of those that the runner does not hold."""
        order = sorted(range(len(beats)), key=lambda place: beats[place][0])
        columns = _held_columns([(beats[place][0], beats[place][1:]) for place in order])
        renewed = await connection.fetch(self.statements.heartbeat, self.moment(), *columns)
        return set(order) - {order[record["number"] - 1] for record in renewed}

    async def complete(self, connection: AnyConnection, backs: Sequence[Back], news: News) -> list[Completion | None]:
        """Complete each of these, as if one after the other; None for a job that is not there.

        Inside a transaction, unless `is_simple`.
        """
        completions: list[Completion | None] = [None] * len(backs)
        left: Iterable[int] = range(len(backs))
        while left:
            places: dict[bytes, int] = {}
            again = [place for place in left if places.setdefault(backs[place][0], place) != place]
            await self._complete_each(connection, backs, sorted(places.items()), completions, news)
            left = again
        return completions

    async def _complete_each(
        self,
        connection: AnyConnection,
        backs: Sequence[Back],
        places: Sequence[tuple[bytes, int]],
        completions: list[Completion | None],
        news: News,
    ) -> None:
        """`complete` for jobs of which none occurs twice, in the order of their ids."""
        removing = [(job_id, place) for job_id, place in places if backs[place][2].result in _REMOVING]
        others = [(job_id, place) for job_id, place in places if backs[place][2].result not in _REMOVING]
        done: set[bytes] = set()
        if removing:
            done |= await self._remove(connection, [backs[place][:2] for _, place in removing])
            for job_id, place in removing:
                if job_id in done:
                    completions[place] = Completion.REMOVED
                    news.counts[_REMOVING[backs[place][2].result]] += 1
        if others:
            columns = _held_columns([backs[place][:2] for _, place in others])
            held = await connection.fetch(self.statements.held, self.moment(), *columns)
            back_of = {job_id: backs[place][2] for job_id, place in others}
            outcomes = await self._put_back(connection, held, back_of, news)
            done |= outcomes.keys()
            for job_id, place in others:
                completions[place] = outcomes.get(job_id)
        if len(done) < len(places):
            refused = [(job_id, place) for job_id, place in places if job_id not in done]
            ids = [WireUUID(job_id) for job_id, _ in refused]
            known = {job_id.bytes for (job_id,) in await connection.fetch(self.statements.known, ids)}
            for job_id, place in refused:
                completions[place] = Completion.LEASE_LOST if job_id in known else None
                news.counts["lost_leases" if job_id in known else "missing"] += 1

    async def _remove(self, connection: AnyConnection, held: Sequence[tuple[bytes, Fence]]) -> set[bytes]:
        gone = await connection.fetch(self.statements.remove, *_held_columns(held))
        return {job_id.bytes for (job_id,) in gone}

    async def _put_back(
        self, connection: AnyConnection, held: Sequence[Record], back_of: dict[bytes, ReturnJobInfo], news: News
    ) -> dict[bytes, Completion]:
        outcomes: dict[bytes, Completion] = {}
        dead: list[tuple[bytes, Fence]] = []
        rows: list[Row] = []
        for record in held:
            job, now = _job(record), to_microseconds(record["now"])
            back = back_of[record[0].bytes]
            delay, anew = back.delay_microseconds, True
            outcomes[record[0].bytes] = Completion.PUT_BACK
            if back.result is JobResult.FAILURE:
                retry = retried(job, now, delay, back.error)
                if retry is None:
                    dead.append((record[0].bytes, (None, None)))
                    outcomes[record[0].bytes] = Completion.REMOVED
                    news.counts["dead"] += 1
                    continue
                job, due = retry, retry.due
                news.counts["failed"] += 1
            else:
                due, anew = (job.due, False) if delay is None else (later(now, delay), True)
                news.counts["returned"] += 1
            rows.append((record[0], to_datetime(due).isoformat(), anew, job.retry_count, job.last_error))
            news.changed.add(job.queue)
        if dead:
            await self._remove(connection, dead)
        if rows:
            await connection.execute(self.statements.put_back, self.moment(), *zip(*rows, strict=True))
        return outcomes

    async def gauges(self, connection: AnyConnection) -> dict[str, tuple[int, int]]:
        """Jobs and running ones of each queue; inside a transaction."""
        await connection.execute("SET LOCAL enable_seqscan = on")
        return {queue: (jobs, running) for queue, jobs, running in await connection.fetch(self.statements.gauges)}

    async def hold(self, connection: AnyConnection, after: int, limit: int) -> tuple[int, list[JobInfo]]:
        """Keep jobs for the copier; by their ids, which is the order of the pushes within a millisecond."""
        if after + 1 >= 2**128:
            return after, []
        since = WireUUID((after + 1).to_bytes(16, "big"))
        records = await connection.fetch(self.statements.hold, self.moment(), since, limit)
        position = max((int.from_bytes(record[0].bytes, "big") for record in records), default=after)
        return position, [_job(record) for record in sorted(records, key=lambda record: record["place"])]

    async def receive(self, connection: AnyConnection, rows: Sequence[Row]) -> None:
        """Insert jobs that are kept for the copier."""
        await connection.execute(self.statements.receive, *(list(zip(*rows, strict=True)) or [()] * _JOB_WIDTH))

    async def forget(self, connection: AnyConnection, ids: Iterable[bytes]) -> None:
        """Remove what is kept for the copier."""
        await connection.execute(self.statements.forget, [WireUUID(job_id) for job_id in ids])

    async def release(self, connection: AnyConnection, ids: Iterable[bytes] | None) -> set[str]:
        """Let go of what is kept for the copier; the queues."""
        if ids is None:
            kept = [job_id for (job_id,) in await connection.fetch(self.statements.kept)]
        else:
            kept = [WireUUID(job_id) for job_id in ids]
        return {queue for (queue,) in await connection.fetch(self.statements.release, self.moment(), kept)}


def is_simple(backs: Sequence[Back]) -> bool:
    """Whether one statement does for these, and so no transaction is needed around it."""
    return all(back.result in _REMOVING for _, _, back in backs) and len({back[0] for back in backs}) == len(backs)


def is_repeatable(backs: Sequence[Back]) -> bool:
    """Whether these can be completed twice: a put-back that names no delivery could strike the next one."""
    return all(delivery is not None or back.result in _REMOVING for _, (_, delivery), back in backs)


def popped(record: Record) -> JobInfo:
    """The job of a claim."""
    return _job(record)


def claim_of(record: Record, runner: UUID) -> Row:
    """What `Tables.undo` needs to take a claim back."""
    return record[0], runner, record["deliveries"], record["before"]


def _job(record: Record) -> JobInfo:
    return loaded(
        record[0].bytes,
        record[1],
        record[2].encode(),
        record[3],
        record[4],
        record[5],
        record[6],
        record[7],
        to_microseconds(record[8]),
        record[9],
        record[10],
        record[11],
        record[12],
    )


def _held_columns(held: Sequence[tuple[bytes, Fence]]) -> tuple[list[Any], list[Any], list[Any]]:
    """Ids, runners and deliveries as arrays; few runners hold many jobs."""
    runners: dict[bytes | None, Any] = {None: None}
    for _, (runner, _) in held:
        if runner is not None and runner not in runners:
            runners[runner] = WireUUID(runner)
    return (
        [WireUUID(job_id) for job_id, _ in held],
        [runners[runner] for _, (runner, _) in held],
        [delivery for _, (_, delivery) in held],
    )
