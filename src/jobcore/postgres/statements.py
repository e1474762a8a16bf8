"""The statements, for one schema. Each is one round trip, and none sorts or searches; see `migrations/` for the tables.

They are text that travels with the program, not functions in the database: so two releases can work on one schema while
one of them is being replaced by the other. Where one reckons with time, `$1` is the moment of a test clock, and NULL in
production, where the clock is the server's: machines whose clocks differ agree. That moment is read once, in a CTE of
its own: a volatile function in a condition could not be looked up in an index.

Moments go out as text, which every driver writes the same; asyncpg sends the latest `datetime` as infinity.

Whoever names several jobs names them in the order of their ids, and the plans follow that order, row by row. So no two
of these statements can lock each other out.
"""

from __future__ import annotations

import re

from jobcore._durable.requests import COPIER

STEP = 5_000
"""At most so many jobs end their rest in one statement, so that others get their turn between."""

BACKOFF = '{"exponential":2,"cap":null,"jitter":0}'
"""What NULL in the column `backoff` stands for."""

TUNING = {
    # A plan is made once for each statement and connection, maybe while the table is empty and has no statistics. What
    # a queue needs is known: by the index, in its order, row by row; so nothing else is offered to the planner.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # A client that vanished inside a transaction keeps its rows from others no longer than this.
    "idle_in_transaction_session_timeout": "30s",
}

_SPEC = "id, name, args, queue, priority, max_retries, backoff, heartbeat"
_JOB = (
    f"job.id, name, args, queue, priority, max_retries, coalesce(backoff, '{BACKOFF}') AS backoff, heartbeat, job.due, "
    "job.retries, deliveries, losses, job.error"
)
_CLOCK = "clock AS MATERIALIZED (SELECT coalesce($1::timestamptz, clock_timestamp()) AS now)"
_NOW = "(SELECT now FROM clock)"
_LEASE = f"{_NOW} + heartbeat * interval '5 microseconds' + interval '1 microsecond'"
_LATEST = "timestamptz '9999-12-31 23:59:59.999999+00'"
_COPIER = f"uuid '{COPIER.hex()}'"
_HELD = (
    "job.id = given.id AND (given.runner IS NULL OR job.runner = given.runner) "
    "AND (given.delivery IS NULL OR job.deliveries = given.delivery)"
)

COPIED = (*_SPEC.split(", "), "due")
"""The columns of a COPY; without a `due`, a job is due at the server's time."""


def _arrays(first: int, *types: str) -> str:
    """`$2::uuid[], $3::text[]` and so on."""
    return ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, first))


_SPEC_TYPES = ("uuid", "text", "text", "text", "smallint", "integer", "text", "bigint")


class Statements:
    """The statements on the tables of one schema; `channel` is where they tell of news."""

    def __init__(self, schema: str) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise ValueError(f"schema must be a plain name (a-z, 0-9, _; at most 63 characters), not {schema!r}")
        self.schema: str = schema
        self.channel: str = schema
        job = f"{schema}.job"

        # How many were new. The last argument names the queues to tell of.
        self.push: str = f"""
WITH {_CLOCK},
given AS (
    SELECT {_SPEC}, coalesce(moment::timestamptz, least(now + delay * interval '1 microsecond', {_LATEST})) AS due, now
    FROM clock, unnest({_arrays(2, *_SPEC_TYPES, "text", "bigint")}) AS new({_SPEC}, moment, delay)
),
added AS (
    INSERT INTO {job} ({_SPEC}, due, until) SELECT {_SPEC}, due, CASE WHEN due > now THEN due END FROM given
    ON CONFLICT (id) DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM added), (SELECT count(pg_notify('{schema}', told)) FROM unnest($12::text[]) AS told)"""
        notification = f"pg_notify('{schema}', told) FROM unnest($1::text[]) AS told"
        self.notify: str = f"SELECT {notification}"
        # In a transaction of its own there is nothing to keep, and no reason to wait for the disk.
        self.tell: str = f"SELECT set_config('synchronous_commit', 'off', true), {notification}"
        self.info: str = f"SELECT {_JOB} FROM {job} WHERE id = $1"

        # With `$4`, takes nothing while a job of the queue has slept beyond its rest: `rise`, then claim without it.
        self.claim: str = f"""
WITH {_CLOCK},
picked AS MATERIALIZED (
    SELECT ctid AS spot, runner AS before FROM {job}
    WHERE queue = $2 AND until IS NULL AND due <= {_NOW}
        AND NOT ($4::boolean AND EXISTS (SELECT FROM {job} WHERE queue = $2 AND until <= {_NOW}))
    ORDER BY priority DESC, due, place LIMIT cardinality($3::uuid[]) FOR UPDATE SKIP LOCKED
),
dealt AS MATERIALIZED (SELECT spot, before, row_number() OVER () AS turn FROM picked)
UPDATE {job} SET until = {_LEASE}, runner = ($3::uuid[])[turn],
    deliveries = deliveries + 1, losses = losses + (before IS NOT NULL)::integer
FROM dealt WHERE job.ctid = spot
RETURNING {_JOB}, before"""
        self.rise: str = f"""
WITH {_CLOCK}
UPDATE {job} SET until = NULL WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {job} WHERE queue = $2 AND until <= {_NOW} ORDER BY until LIMIT {STEP} FOR UPDATE SKIP LOCKED))"""
        # Microseconds until the next rest is over, and until the first of the ready is due: that is past, unless the
        # clock was set back. What is due and was not claimed is locked by somebody else.
        self.ahead: str = f"""
WITH {_CLOCK}
SELECT
    (1e6 * extract(epoch FROM (
        SELECT until FROM {job} WHERE queue = $2 AND until IS NOT NULL ORDER BY until LIMIT 1) - now))::bigint,
    (1e6 * extract(epoch FROM (
        SELECT due FROM {job} WHERE queue = $2 AND until IS NULL ORDER BY priority DESC, due, place LIMIT 1
        ) - now))::bigint
FROM clock"""
        self.undo: str = f"""
UPDATE {job} SET until = NULL, runner = given.before, deliveries = deliveries - 1,
    losses = losses - (given.before IS NOT NULL)::integer
FROM unnest({_arrays(1, "uuid", "uuid", "integer", "uuid")}) AS given(id, runner, delivery, before)
WHERE {_HELD}
RETURNING given.before IS NOT NULL"""

        self.heartbeat: str = f"""
WITH {_CLOCK}
UPDATE {job} SET until = {_LEASE}
FROM unnest({_arrays(2, "uuid", "uuid", "integer")}) WITH ORDINALITY AS given(id, runner, delivery, number)
WHERE {_HELD} RETURNING given.number"""
        self.remove: str = f"""
DELETE FROM {job} USING unnest({_arrays(1, "uuid", "uuid", "integer")}) AS given(id, runner, delivery)
WHERE {_HELD} RETURNING job.id"""
        self.known: str = f"SELECT id FROM {job} WHERE id = ANY ($1::uuid[])"
        # What a put-back has to know, in the columns of a job; the lock keeps it so until the transaction ends.
        self.held: str = f"""
WITH {_CLOCK}
SELECT {_JOB.replace("name, args", "'' AS name, '' AS args")}, {_NOW} AS now
FROM unnest({_arrays(2, "uuid", "uuid", "integer")}) AS given(id, runner, delivery) JOIN {job} ON {_HELD}
FOR UPDATE OF job"""
        self.put_back: str = f"""
WITH {_CLOCK}
UPDATE {job} SET runner = NULL, due = moment::timestamptz,
    until = CASE WHEN moment::timestamptz > {_NOW} THEN moment::timestamptz END,
    place = CASE WHEN given.anew THEN nextval('{schema}.place') ELSE place END,
    retries = given.retries, error = given.error
FROM unnest({_arrays(2, "uuid", "text", "boolean", "integer", "text")}) AS given(id, moment, anew, retries, error)
WHERE job.id = given.id"""

        self.gauges: str = f"SELECT queue, count(*), count(runner) FROM {job} GROUP BY queue"

        # For `jobcore.copying`.
        self.hold: str = f"""
WITH {_CLOCK}
UPDATE {job} SET until = {_LATEST}, runner = {_COPIER},
    losses = losses + (runner IS NOT NULL AND runner <> {_COPIER})::integer
WHERE id IN (
    SELECT id FROM {job}
    WHERE id >= $2 AND (until IS NULL OR runner IS NULL OR until <= {_NOW} OR runner = {_COPIER})
    ORDER BY id LIMIT $3 FOR UPDATE)
RETURNING {_JOB}, place"""
        counts = "retries, deliveries, losses, error"
        types = (*_SPEC_TYPES, "text", "integer", "integer", "integer", "text")
        self.receive: str = f"""
INSERT INTO {job} ({_SPEC}, due, {counts}, until, runner)
SELECT {_SPEC}, moment::timestamptz, {counts}, {_LATEST}, {_COPIER}
FROM unnest({_arrays(1, *types)}) AS new({_SPEC}, moment, {counts})
ON CONFLICT (id) DO NOTHING"""
        self.forget: str = f"DELETE FROM {job} WHERE id = ANY ($1::uuid[]) AND runner = {_COPIER}"
        self.kept: str = f"SELECT id FROM {job} WHERE runner = {_COPIER}"
        self.release: str = f"""
WITH {_CLOCK}
UPDATE {job} SET runner = NULL, until = CASE WHEN due > {_NOW} THEN due END
WHERE id = ANY ($2::uuid[]) AND runner = {_COPIER} RETURNING queue"""

        # For a table with hardly a page that all can see, so with few pages that a vacuum could skip, it is fast.
        self.vacuum: str = f"VACUUM (SKIP_LOCKED, TRUNCATE FALSE, PARALLEL 0) {job}"
