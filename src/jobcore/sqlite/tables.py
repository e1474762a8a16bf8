"""The verbs as statements. Each runs inside a transaction that the writer begins and commits, and knows no waiting.

Rows come and go in the terms of `spec_key` and `loaded`; time is an argument of the clock that the storage was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobcore._durable.requests import COPIER
from jobcore._time import LATEST, later
from jobcore.jobs import Completion, JobInfo, JobResult, ReturnJobInfo
from jobcore.jobs._job import loaded, retried
from jobcore.sqlite.schema import BACKOFF, LEASED, SCHEDULED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

STEP = 5_000
"""At most so many jobs end their rest in one transaction, so that others get their turn between."""

_JOB = (
    "id, name, args, queue, priority, max_retries, ifnull(backoff, '" + BACKOFF + "'), heartbeat, "
    "due, retries, deliveries, losses, error"
)
_HELD = "id = ?1 AND (?2 IS NULL OR runner = ?2) AND (?3 IS NULL OR deliveries = ?3)"

PUSH = """
INSERT INTO job (id, due, name, args, queue, priority, max_retries, backoff, heartbeat, lane, at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?2) ON CONFLICT (id) DO NOTHING"""
INFO = f"SELECT {_JOB} FROM job WHERE id = ?"
HELD = f"SELECT {_JOB} FROM job WHERE {_HELD}"
KNOWN = "SELECT 1 FROM job WHERE id = ?"
REMOVE = f"DELETE FROM job WHERE {_HELD}"
HEARTBEAT = f"UPDATE job SET lane = {LEASED}, at = ?4 + 5 * heartbeat WHERE {_HELD}"
RETRY = """
UPDATE job SET place = (SELECT max(place) + 1 FROM job),
    runner = NULL, lane = ?2, at = ?3, due = ?3, retries = ?4, error = ?5 WHERE id = ?1"""
RELEASE = "UPDATE job SET runner = NULL, lane = -priority, at = due WHERE id = ?"

READY = f"SELECT 1 FROM job WHERE queue = ? AND lane < {SCHEDULED} ORDER BY lane, at, place LIMIT 1"
NEXT = "SELECT min(at) FROM job WHERE queue = ? AND lane = ?"
FIRST = f"""
SELECT place, {_JOB}, runner, lane, at FROM job WHERE queue = ? AND lane < {SCHEDULED}
ORDER BY lane, at, place LIMIT ?"""
CLAIM = f"""
UPDATE job SET lane = {LEASED}, at = ?2 + 5 * heartbeat,
    losses = losses + (runner IS NOT NULL), deliveries = deliveries + 1, runner = ?3 WHERE place = ?1"""
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

    def push(self, rows: Sequence[tuple[Any, ...]], now: int) -> None:
        """Insert these jobs, but for those that are there."""
        if len(rows) == 1:
            added = self._execute(PUSH, _placed(now, *rows[0])).rowcount
        else:
            added = self._executemany(PUSH, [_placed(now, *row) for row in rows]).rowcount
        self._count("pushed", max(added, 0))
        self.changed.update(row[4] for row in rows)

    def heartbeat(self, beats: Iterable[tuple[bytes, int | None]], runner: bytes) -> list[int]:
        """Renew these leases; the positions of those that the runner does not hold."""
        now = self._now() + 1
        beaten = [self._execute(HEARTBEAT, (job_id, runner, delivery, now)).rowcount for job_id, delivery in beats]
        lost = [place for place, changed in enumerate(beaten) if not changed]
        self._count("lost_leases", len(lost))
        return lost

    def complete(
        self, backs: Iterable[tuple[bytes, tuple[bytes | None, int | None], ReturnJobInfo]]
    ) -> list[Completion | None]:
        """Complete each of these; None for a job that is not there."""
        return [self._completed(job_id, fence, back) for job_id, fence, back in backs]

    def _completed(
        self, job_id: bytes, fence: tuple[bytes | None, int | None], back: ReturnJobInfo
    ) -> Completion | None:
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
        ends = [self._execute(NEXT, (queue, lane)).fetchone()[0] for lane in (SCHEDULED, LEASED)]
        return min((end for end in ends if end is not None), default=None)

    def rise(self, queue: str, now: int) -> bool:
        """Move those whose rest is over into the lane of their priority; False if there may be more of them."""
        return all(self._execute(RISE, (queue, lane, now, STEP)).rowcount < STEP for lane in (SCHEDULED, LEASED))

    def first(self, queue: str, limit: int, now: int) -> list[tuple[Any, ...]]:
        """The first jobs that can be popped, up to so many."""
        rows: list[tuple[Any, ...]] = self._execute(FIRST, (queue, limit)).fetchall()
        early = next((place for place, row in enumerate(rows) if row[-1] > now), None)
        if early is None:
            return rows
        # The clock was set back: what came due before is to rest again. Once it does, the others are in front.
        self._execute(SINK, (queue, rows[early][-2], now, STEP))
        return rows[:early] or self.first(queue, limit, now)

    def claim(self, rows: list[tuple[tuple[Any, ...], bytes]], now: int) -> list[JobInfo]:
        """Lease these rows of `first` to these runners."""
        self._executemany(CLAIM, [(row[0], now + 1, runner) for row, runner in rows])
        lost = sum(row[-3] is not None for row, _ in rows)
        self._count("popped", len(rows))
        self._count("reclaimed", lost)
        return [_popped(row) for row, _ in rows]

    def undo(self, taken: Iterable[tuple[bytes, bytes, int, bytes | None]]) -> None:
        """Put claims back as if they had never been: by id, runner, delivery, and who held the job before."""
        for job_id, runner, delivery, before in taken:
            if self._execute(UNDO, (job_id, runner, delivery, before)).rowcount:
                self._count("popped", -1)
                self._count("reclaimed", -(before is not None))

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
    return (job_id, due, name, args, queue, priority, max_retries, _brief(backoff), heartbeat, lane)


def _brief(backoff: str) -> str | None:
    return None if backoff == BACKOFF else backoff


def undoing(row: tuple[Any, ...], runner: bytes) -> tuple[bytes, bytes, int, bytes | None]:
    """What `Tables.undo` needs to take the claim of a row of `FIRST` back."""
    _, job_id, *_, deliveries, _losses, _error, before, _lane, _at = row
    return job_id, runner, deliveries + 1, before


def _popped(row: tuple[Any, ...]) -> JobInfo:
    """What `CLAIM` makes of a row of `FIRST`."""
    _, *job, runner, _, _ = row
    job[10] += 1
    job[11] += runner is not None
    return loaded(*job)
