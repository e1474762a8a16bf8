# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""The verbs as statements. Each runs inside a transaction that the writer begins and commits, and knows no waiting.

Rows come and go in the terms of `spec_key` and `loaded`; time is an argument of the clock that the storage was given.

What concerns many jobs is one statement where it can be, since half of what a short statement costs is its call. Their
numbers travel as one JSON array, and their ids, of 16 bytes each, as one blob, which `substr` cuts up. Blobs are passed
as `bytearray`: `sqlite3` looks for an adapter at every `bytes` and None, for longer than it takes to bind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobcore._durable.requests import COPIER
from jobcore._time import LATEST, later
from jobcore.jobs import Completion, JobResult
from jobcore.jobs._job import JobInfo, loaded, retried
from jobcore.sqlite.schema import BACKOFF, LEASED, SCHEDULED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from jobcore.jobs._returned import ReturnJobInfo

Row = tuple[Any, ...]
Fence = tuple[bytes | None, int | None]

STEP = 5_000
"""At most so many jobs end their rest in one transaction, so that others get their turn between."""

_JOB = (
    f"id, name, args, queue, priority, max_retries, iif(backoff = '', '{BACKOFF}', backoff), heartbeat, "
    "due, retries, deliveries, losses, error"
)
_HELD = "id = ?1 AND (?2 IS NULL OR runner = ?2) AND (?3 IS NULL OR deliveries = ?3)"
_ALL_HELD = """place IN (
    SELECT job.place FROM json_each(?2) AS delivery CROSS JOIN job ON job.id = substr(?1, 1 + 32 * delivery.key, 16)
    AND job.runner = substr(?1, 17 + 32 * delivery.key, 16) AND job.deliveries = delivery.value)"""

PUSH = """
INSERT INTO job (id, due, name, args, queue, priority, max_retries, backoff, heartbeat, lane, at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?2) ON CONFLICT (id) DO NOTHING"""
INFO = f"SELECT {_JOB} FROM job WHERE id = ?"
HELD = f"SELECT {_JOB} FROM job WHERE {_HELD}"
KNOWN = "SELECT 1 FROM job WHERE id = ?"
REMOVE = f"DELETE FROM job WHERE {_HELD}"
REMOVE_ALL = f"DELETE FROM job WHERE {_ALL_HELD}"
HEARTBEAT = f"UPDATE job SET lane = {LEASED}, at = ?4 + 5 * heartbeat WHERE {_HELD}"
HEARTBEAT_ALL = f"UPDATE job SET lane = {LEASED}, at = ?3 + 5 * heartbeat WHERE {_ALL_HELD}"
RETRY = """
UPDATE job SET place = (SELECT max(place) + 1 FROM job),
    runner = NULL, lane = ?2, at = ?3, due = ?3, retries = ?4, error = ?5 WHERE id = ?1"""
RELEASE = "UPDATE job SET runner = NULL, lane = -priority, at = due WHERE id = ?"

READY = f"SELECT 1 FROM job WHERE queue = ? AND lane < {SCHEDULED} ORDER BY lane, at, place LIMIT 1"
NEXT = f"""
SELECT min(at) FROM job WHERE queue = ?1 AND lane = {SCHEDULED}
UNION ALL SELECT min(at) FROM job WHERE queue = ?1 AND lane = {LEASED}"""
FIRST = f"""
SELECT id, name, args, queue, priority, max_retries, iif(backoff = '', '{BACKOFF}', backoff), heartbeat, due, retries,
    deliveries + 1, losses + (runner IS NOT NULL), error, place, runner, lane, at
FROM job WHERE queue = ? AND lane < {SCHEDULED} ORDER BY lane, at, place LIMIT ?"""
CLAIM = f"""
UPDATE job SET lane = {LEASED}, at = ?2 + 5 * heartbeat, losses = losses + (runner IS NOT NULL),
    deliveries = deliveries + 1, runner = substr(?3, 1 + 16 * claim.key, 16)
FROM json_each(?1) AS claim WHERE job.place = claim.value"""
UNDO = """
UPDATE job SET lane = -priority, at = due, runner = ?4, deliveries = deliveries - 1, losses = losses - (?4 IS NOT NULL)
WHERE id = ?1 AND runner = ?2 AND deliveries = ?3"""
RISE = """
UPDATE job SET lane = -priority, at = due
WHERE place IN (SELECT place FROM job WHERE queue = ? AND lane = ? AND at <= ? ORDER BY at LIMIT ?)"""
SINK = f"""
UPDATE job SET lane = {SCHEDULED}
WHERE place IN (SELECT place FROM job WHERE queue = ? AND lane = ? AND at > ? LIMIT ?)"""

HOLD = f"""
SELECT place, {_JOB}, runner FROM job
WHERE place > ?1 AND (lane <> {LEASED} OR at <= ?2 OR runner = ?3) ORDER BY place LIMIT ?4"""
KEEP = f"UPDATE job SET lane = {LEASED}, at = {LATEST}, runner = ?2, losses = ?3 WHERE place = ?1"
RECEIVE = f"""
INSERT INTO job (id, due, name, args, queue, priority, max_retries, backoff, heartbeat,
    retries, deliveries, losses, error, lane, at, runner)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {LEASED}, {LATEST}, ?) ON CONFLICT (id) DO NOTHING"""
FORGET = "DELETE FROM job WHERE id = ? AND runner = ?"
KEPT = "SELECT id FROM job WHERE runner = ?"
LET_GO = f"""
UPDATE job SET runner = NULL, lane = iif(due <= ?3, -priority, {SCHEDULED}), at = due
WHERE id = ?1 AND runner = ?2 RETURNING queue"""

GAUGES = f"SELECT queue, count(*), sum(lane = {LEASED}) FROM job GROUP BY queue"
LAPSED = f"SELECT queue, count(*) FROM job WHERE runner IS NOT NULL AND lane <> {LEASED} GROUP BY queue"

# Where things are in a row of FIRST: what `loaded` takes as it will be after the claim, then what was before it.
ID, DELIVERIES, PLACE, HOLDER, LANE, AT = 0, 10, 13, 14, 15, 16

TOGETHER = frozenset({"push", "complete"})
"""Verbs that take the arguments of many calls at once, and return an answer for each."""

_REMOVING = {JobResult.SUCCESS: "completed", JobResult.DEAD: "dead"}


class Tables:
    """The tables of one connection."""

    def __init__(
        self, connection: sqlite3.Connection, now: Callable[[], int], count: Callable[[str, int], None]
    ) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._now = now
        self._count = count
        self.changed: set[str] = set()
        """Queues in which something may have come to be there, for those who wait."""

    def ping(self) -> None:
        """Nothing: the connection is there."""

    def info(self, job_id: bytes) -> JobInfo | None:
        """The job, or None."""
        row = self._execute(INFO, (job_id,)).fetchone()
        return None if row is None else loaded(*row)

    def push(self, calls: Sequence[tuple[Any, ...]]) -> Sequence[None]:
        """Insert the jobs of these calls, but for those that are there; each call is the jobs, and when it was made."""
        rows = [_placed(now, *row) for jobs, now in calls for row in jobs]
        self._count("pushed", max(self._executemany(PUSH, rows).rowcount, 0))
        self.changed.update([row[4] for row in rows])
        return [None] * len(calls)

    def heartbeat(self, beats: Sequence[tuple[bytes, int | None]], runner: bytes) -> list[int]:
        """Renew these leases; the positions of those that the runner does not hold."""
        now = self._now() + 1
        if self._all_held(HEARTBEAT_ALL, [(job_id, runner, delivery) for job_id, delivery in beats], now):
            return []
        beaten = [self._execute(HEARTBEAT, (job_id, runner, delivery, now)).rowcount for job_id, delivery in beats]
        lost = [place for place, changed in enumerate(beaten) if not changed]
        self._count("lost_leases", len(lost))
        return lost

    def complete(self, calls: Sequence[tuple[Any, ...]]) -> list[list[Completion | None]]:
        """Complete the jobs of these calls, each on its own; None for a job that is not there."""
        completions = iter(self._all_completed([back for (backs,) in calls for back in backs]))
        return [[next(completions) for _ in backs] for (backs,) in calls]

    def _all_completed(self, backs: list[tuple[bytes, Fence, ReturnJobInfo]]) -> list[Completion | None]:
        """As a rule all of these are held, and to be removed: that is one statement, and undone where it is not so."""
        counters = [_REMOVING.get(back.result) for _, _, back in backs]
        if len(backs) > 1 and None not in counters:
            self._execute("SAVEPOINT removal")
            if self._all_held(REMOVE_ALL, [(job_id, runner, delivery) for job_id, (runner, delivery), _ in backs]):
                self._execute("RELEASE removal")
                for counter in _REMOVING.values():
                    self._count(counter, counters.count(counter))
                return [Completion.REMOVED] * len(backs)
            self._execute("ROLLBACK TO removal")
            self._execute("RELEASE removal")
        return [self._completed(job_id, fence, back) for job_id, fence, back in backs]

    def _all_held(self, statement: str, holds: list[tuple[bytes, bytes | None, int | None]], *more: int) -> bool:
        """Carry the statement out on those of these jobs that are held as it says here; whether all of them are."""
        ids: list[bytes] = []
        for job_id, runner, delivery in holds:
            if runner is None or delivery is None:
                return False
            ids += (job_id, runner)
        deliveries = str([delivery for _, _, delivery in holds])
        return self._execute(statement, (bytearray().join(ids), deliveries, *more)).rowcount == len(holds)

    def _completed(self, job_id: bytes, fence: Fence, back: ReturnJobInfo) -> Completion | None:
        counter = _REMOVING.get(back.result)
        if counter is None:
            row = self._execute(HELD, (job_id, *fence)).fetchone()
            if row is not None:
                return self._put_back(loaded(*row), back)
        elif self._execute(REMOVE, (job_id, *fence)).rowcount:
            self._count(counter, 1)
            return Completion.REMOVED
        if self._execute(KNOWN, (job_id,)).fetchone() is None:
            self._count("missing", 1)
            return None
        self._count("lost_leases", 1)
        return Completion.LEASE_LOST

    def _put_back(self, job: JobInfo, back: ReturnJobInfo) -> Completion:
        now, delay = self._now(), back.delay_microseconds
        if back.result is JobResult.FAILURE:
            retry = retried(job, now, delay, back.error)
            if retry is None:
                self._execute(REMOVE, (back.id.bytes, None, None))
                self._count("dead", 1)
                return Completion.REMOVED
            self._place(retry, now, retry.due)
            self._count("failed", 1)
        else:
            if delay is None:
                self._execute(RELEASE, (back.id.bytes,))
            else:
                self._place(job, now, later(now, delay))
            self._count("returned", 1)
        self.changed.add(job.queue)
        return Completion.PUT_BACK

    def _place(self, job: JobInfo, now: int, due: int) -> None:
        lane = -job.priority if due <= now else SCHEDULED
        self._execute(RETRY, (job.id.bytes, lane, due, job.retry_count, job.last_error))

    def is_ready(self, queue: str) -> bool:
        """Whether a job lies in a lane from which it can be popped."""
        return self._execute(READY, (queue,)).fetchone() is not None

    def next_at(self, queue: str) -> int | None:
        """When the next rest of a job in this queue is over."""
        ends = [end for (end,) in self._execute(NEXT, (queue,)).fetchall()]
        return min((end for end in ends if end is not None), default=None)

    def rise(self, queue: str, now: int) -> bool:
        """Move those whose rest is over into the lane of their priority; False if there may be more of them."""
        return all(self._execute(RISE, (queue, lane, now, STEP)).rowcount < STEP for lane in (SCHEDULED, LEASED))

    def first(self, queue: str, limit: int, now: int) -> list[Row]:
        """The first jobs that can be popped, up to so many."""
        rows: list[Row] = self._execute(FIRST, (queue, limit)).fetchall()
        early = next((place for place, row in enumerate(rows) if row[AT] > now), None)
        if early is None:
            return rows
        # The clock was set back: what came due before is to rest again. Once it does, the others are in front.
        self._execute(SINK, (queue, rows[early][LANE], now, STEP))
        return rows[:early] or self.first(queue, limit, now)

    def claim(self, dealt: Sequence[tuple[Sequence[Row], bytes]], now: int) -> list[list[JobInfo]]:
        """Lease rows of `first` to runners; the jobs of each."""
        places = [row[PLACE] for rows, _ in dealt for row in rows]
        runners = bytearray().join([runner for rows, runner in dealt for _ in rows])
        self._execute(CLAIM, (str(places), now + 1, runners))
        self._count("popped", len(places))
        self._count("reclaimed", sum([row[HOLDER] is not None for rows, _ in dealt for row in rows]))
        return [[loaded(*row[:PLACE]) for row in rows] for rows, _ in dealt]

    def undo(self, rows: Iterable[Row], runner: bytes) -> None:
        """Put the claims of rows of `first` back as if they had never been."""
        for row in rows:
            if self._execute(UNDO, (row[ID], runner, row[DELIVERIES], row[HOLDER])).rowcount:
                self._count("popped", -1)
                self._count("reclaimed", -(row[HOLDER] is not None))

    def hold(self, after: int, limit: int) -> tuple[int, list[JobInfo]]:
        """Keep jobs for the copier; a lease that has run out is counted as lost then."""
        rows = self._execute(HOLD, (after, self._now(), COPIER, limit)).fetchall()
        jobs: list[JobInfo] = []
        for place, *row, runner in rows:
            row[11] += runner not in (None, COPIER)
            self._execute(KEEP, (place, COPIER, row[11]))
            jobs.append(loaded(*row))
        return (rows[-1][0] if rows else after), jobs

    def receive(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert jobs that are kept for the copier."""
        self._executemany(RECEIVE, [(*row[:7], _brief(row[7]), *row[8:], COPIER) for row in rows])

    def forget(self, ids: Iterable[bytes]) -> None:
        """Remove what is kept for the copier."""
        self._executemany(FORGET, [(job_id, COPIER) for job_id in ids])

    def release(self, ids: Iterable[bytes] | None) -> None:
        """Let go of what is kept for the copier."""
        if ids is None:
            ids = [row[0] for row in self._execute(KEPT, (COPIER,)).fetchall()]
        for job_id in ids:
            self.changed.update(row[0] for row in self._execute(LET_GO, (job_id, COPIER, self._now())).fetchall())

    def gauges(self) -> dict[str, tuple[int, int]]:
        """Jobs and running ones of each queue."""
        lapsed = dict(self._execute(LAPSED).fetchall())
        return {
            queue: (jobs, leased + lapsed.get(queue, 0)) for queue, jobs, leased in self._execute(GAUGES).fetchall()
        }


def _placed(
    now: int,
    job_id: bytes,
    due: int,
    name: str,
    args: bytes,
    queue: str,
    priority: int,
    max_retries: int,
    backoff: str,
    heartbeat: int,
) -> tuple[Any, ...]:
    lane = -priority if due <= now else SCHEDULED
    blobs = bytearray(job_id), bytearray(args)
    return (blobs[0], due, name, blobs[1], queue, priority, max_retries, _brief(backoff), heartbeat, lane)


def _brief(backoff: str) -> str:
    return "" if backoff == BACKOFF else backoff
