"""Stats: what a storage counts, where it has `stats()`; a plain call or a coroutine."""

from __future__ import annotations

import inspect
from collections.abc import Sized
from datetime import timedelta
from typing import Any, cast

import pytest

from jobcore.errors import LeaseLost
from jobcore.jobs import JobResult, Linear, ReturnJobInfo
from jobcore.stats import QueueStats, StorageStats
from jobcore.testing._conformance._base import ALICE, BOB, LEASE, MICROSECOND, NOBODY, Conformance, Stage, scenario


class Stats(Conformance):
    """Gauges and counters; skipped where a storage has none."""

    async def _stats(self, stage: Stage) -> StorageStats:
        storage: Any = stage.storage
        if not hasattr(storage, "stats"):
            pytest.skip("this storage has no stats")
        stats = storage.stats()
        return cast("StorageStats", await stage.soon(stats) if inspect.isawaitable(stats) else stats)

    @scenario
    async def test_gauges_follow_the_jobs_that_are_there(self, stage: Stage) -> None:
        await stage.push(queue="one")
        await stage.push(queue="one", next_queue=timedelta(hours=1))
        await stage.push(queue="two")
        job = await stage.pop(queue="one")

        stats = await self._stats(stage)
        assert (2, 3, 1) == (stats.queues, stats.jobs, stats.running)
        assert {"one": QueueStats(jobs=2, running=1), "two": QueueStats(jobs=1, running=0)} == dict(stats.by_queue)
        if isinstance(stage.storage, Sized):
            assert 3 == len(stage.storage)

        await stage.complete(job, JobResult.UNEXECUTED)
        stats = await self._stats(stage)
        assert (3, 0) == (stats.jobs, stats.running)

    @scenario
    async def test_an_empty_queue_leaves_no_gauge(self, stage: Stage) -> None:
        for number in range(10):
            job = await stage.popped(queue=f"used once: {number}")
            await stage.complete(job, JobResult.SUCCESS)
        waiting = await stage.waiting(queue="waited on once")
        await stage.cancel(waiting)

        stats = await self._stats(stage)
        assert (0, 0, 0, {}) == (stats.queues, stats.jobs, stats.running, dict(stats.by_queue))

    @scenario
    async def test_counters_count_what_happened(self, stage: Stage) -> None:
        before = await self._stats(stage)
        first = await stage.popped(max_retries=1, backoff=Linear(0))
        await stage.push(id=first.id)
        await stage.advance(LEASE + MICROSECOND)
        job = await stage.pop(BOB)
        for call in (
            stage.storage.heartbeat(first.id, ALICE),
            stage.storage.complete(first.returned(JobResult.SUCCESS, ALICE)),
        ):
            with pytest.raises(LeaseLost):
                await stage.soon(call)
        await stage.complete(job, JobResult.UNEXECUTED, BOB)
        await stage.complete(await stage.pop(), JobResult.UNREGISTERED)
        await stage.complete(await stage.pop(), JobResult.FAILURE)
        await stage.complete(await stage.pop(), JobResult.FAILURE)
        await stage.complete(await stage.popped(), JobResult.DEAD)
        for _ in range(3):
            await stage.complete(await stage.popped(), JobResult.SUCCESS)
        await stage.soon(stage.storage.complete(ReturnJobInfo(NOBODY, JobResult.SUCCESS)))

        expected = {
            "pushed": 5,
            "popped": 9,
            "reclaimed": 1,
            "completed": 3,
            "failed": 1,
            "dead": 2,
            "returned": 2,
            "lost_leases": 2,
            "missing": 1,
        }
        after = await self._stats(stage)
        assert expected == {name: getattr(after, name) - getattr(before, name) for name in expected}
