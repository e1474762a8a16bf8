-- A job is one row. `until` tells where it stands:
--
--     until IS NULL                           it can be popped, in its turn (`ready`)
--     until IS NOT NULL, runner IS NULL       it rests until it comes due
--     until IS NOT NULL, runner IS NOT NULL   it is leased; `until` is the first moment after the lease
--
-- So the next job of a queue is the first entry of `ready`, and what is on its way next is the first entry of
-- `resting`, however many jobs run or wait for a later time: nothing is sorted, nothing is searched. A claim first
-- clears `until` of those whose rest is over; each job moves once for each rest.
--
-- `runner` and `deliveries` stay until the job is popped again: the holder stays the holder, also when its lease is over.

CREATE SEQUENCE {schema}.place;

CREATE TABLE {schema}.job (
    id uuid PRIMARY KEY,
    place bigint NOT NULL DEFAULT nextval('{schema}.place'), -- the order of the pushes
    queue text COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    due timestamptz NOT NULL DEFAULT clock_timestamp(),
    until timestamptz,
    runner uuid,
    deliveries integer NOT NULL DEFAULT 0,
    losses integer NOT NULL DEFAULT 0,
    retries integer NOT NULL DEFAULT 0,
    max_retries integer NOT NULL, -- -1: no limit
    heartbeat bigint NOT NULL, -- microseconds: no interval, whose days depend on the time zone of the session
    backoff text COLLATE "C", -- JSON; NULL: {backoff}
    name text COLLATE "C" NOT NULL,
    error text COLLATE "C",
    args text COLLATE "C" NOT NULL -- JSON, as it was pushed: jsonb would change it
) WITH (
    -- Every job leaves three dead row versions within seconds. Waiting for a share of the table, the default, would let
    -- them pile up behind a long backlog, and the dead entries at the front of an index are what a claim has to pass.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX ready ON {schema}.job (queue, priority DESC, due, place) WHERE until IS NULL;

CREATE INDEX resting ON {schema}.job (queue, until) WHERE until IS NOT NULL;

CREATE VIEW {schema}.jobs AS SELECT
    id,
    queue,
    name,
    CASE
        WHEN runner IS NOT NULL AND until > clock_timestamp() THEN 'running'
        WHEN runner IS NOT NULL THEN 'lost'
        WHEN until > clock_timestamp() THEN 'scheduled'
        ELSE 'ready'
    END AS state,
    priority,
    due AS next_queue,
    CASE WHEN runner IS NOT NULL THEN until END AS leased_until,
    runner AS runner_id,
    deliveries AS delivery_count,
    losses AS lost_count,
    retries AS retry_count,
    nullif(max_retries, -1) AS max_retries,
    coalesce(backoff, '{backoff}')::json AS backoff,
    heartbeat * interval '1 microsecond' AS heartbeat_interval,
    error AS last_error,
    args::json AS args
FROM {schema}.job;

CREATE VIEW {schema}.queues AS SELECT
    queue,
    count(*) AS jobs,
    count(*) FILTER (WHERE state = 'ready') AS ready,
    count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
    count(*) FILTER (WHERE state = 'running') AS running,
    count(*) FILTER (WHERE state = 'lost') AS lost
FROM {schema}.jobs GROUP BY queue;
