"""A connection that breaks in the middle of one call: it happened or not, and whoever is told so can go on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from jobcore import JobResult, LeaseLost, NewJobInfo, PostgresStorage, ReturnJobInfo, StorageUnavailable
from tests.postgres.load import insisting
from tests.postgres.proxy import Fate, Proxy, Way

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres.server import Server

RUNNER = uuid4()
READY = b"Z\0\0\0\5I"
"""How an answer ends outside of a transaction."""
HANGS = 20.0
"""Seconds after which a call counts as one that hangs; they end long before."""


@asynccontextmanager
async def opened(server: Server, dsn: str) -> AsyncIterator[tuple[Proxy, PostgresStorage]]:
    async with Proxy(server) as proxy, PostgresStorage(proxy.url(dsn)) as storage, asyncio.timeout(HANGS):
        yield proxy, storage


async def listening(storage: PostgresStorage, *, listens: bool = True) -> None:
    claims: Any = storage._engine._claims  # type: ignore[attr-defined]
    while claims.listening is not listens:
        await asyncio.sleep(0.01)


def test_a_push_that_did_not_arrive_can_be_repeated(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            job = NewJobInfo("job", id=uuid4())
            proxy.once(Fate.CUT, Way.TO_SERVER, b"INSERT")
            with pytest.raises(StorageUnavailable):
                await storage.push(job)
            assert 0 == (await storage.stats()).jobs
            assert job.id == await storage.push(job)
            assert 1 == (await storage.stats()).jobs

    asyncio.run(scene())


@pytest.mark.parametrize("number", [2, 1000])
def test_a_push_whose_answer_was_lost_can_be_repeated(server: Server, dsn: str, number: int) -> None:
    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            jobs = [NewJobInfo("job", id=uuid4()) for _ in range(number)]
            await storage.push(NewJobInfo("job", id=jobs[0].id))  # so that the statement is prepared
            proxy.once(Fate.CUT, Way.TO_CLIENT, READY)
            with pytest.raises(StorageUnavailable):
                await storage.push_many(jobs)
            assert number == (await storage.stats()).jobs
            await storage.push_many(jobs)
            assert number == (await storage.stats()).jobs

    asyncio.run(scene())


def test_a_batch_whose_transaction_was_cut_is_there_as_a_whole_or_not_at_all(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            there = set()
            for way in Way:
                proxy.once(Fate.CUT, way, b"COMMIT")
                with pytest.raises(StorageUnavailable):
                    await storage.push_many([NewJobInfo("job") for _ in range(1000)])
                there.add((await storage.stats()).jobs)
            assert {0, 1000} == there

    asyncio.run(scene())


def test_a_completion_whose_answer_was_lost_is_repeated_unseen(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            await storage.push(NewJobInfo("job"))
            job = await storage.pop("default", RUNNER)
            proxy.once(Fate.CUT, Way.TO_CLIENT, b"DELETE 1\0")
            assert await storage.complete(job.returned(JobResult.SUCCESS, RUNNER))
            assert 0 == (await storage.stats()).jobs

    asyncio.run(scene())


@pytest.mark.parametrize("runner", [RUNNER, None], ids=["fenced", "by the id alone"])
def test_a_failure_whose_answer_was_lost_is_counted_once(server: Server, dsn: str, runner: object) -> None:
    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            job_id = await storage.push(NewJobInfo("job"))
            await storage.pop("default", RUNNER)
            proxy.once(Fate.CUT, Way.TO_CLIENT, b"COMMIT\0")
            back = ReturnJobInfo(job_id, JobResult.FAILURE, RUNNER if runner else None, 1 if runner else None)
            with pytest.raises((LeaseLost, StorageUnavailable)):
                await storage.complete(back)
            job = await storage.info(job_id)
            assert job
            assert (1, 1) == (job.retry_count, job.delivery_count)

    asyncio.run(scene())


def test_a_claim_whose_answer_was_lost_comes_back_when_its_lease_is_over(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            job_id = await storage.push(NewJobInfo("job", heartbeat_interval=timedelta(milliseconds=20)))
            proxy.once(Fate.CUT, Way.TO_CLIENT, b"UPDATE 1\0")
            job = await storage.pop("default", RUNNER)
            assert (job_id, 2, 1) == (job.id, job.delivery_count, job.lost_count)

    asyncio.run(scene())


def test_a_pop_that_is_cancelled_while_its_answer_is_lost_takes_nothing_for_long(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            await storage.push(NewJobInfo("job", heartbeat_interval=timedelta(milliseconds=20)))
            proxy.delay = 0.05
            proxy.once(Fate.CUT, Way.TO_CLIENT, b"UPDATE 1\0")
            pop = asyncio.create_task(storage.pop("default", RUNNER))
            await asyncio.sleep(0.08)
            pop.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pop
            proxy.delay = 0
            await storage.pop("default", RUNNER)

    asyncio.run(scene())


def test_a_pop_that_is_cancelled_while_its_claim_fails_ends(
    server: Server, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcore.postgres.connections.ANSWER", 0.3)

    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            arrived = asyncio.Event()

            def swallow(_way: Way, _piece: bytes) -> Fate:
                arrived.set()
                return Fate.SWALLOW

            proxy.rule = swallow
            pop = asyncio.create_task(storage.pop("default", RUNNER))
            await arrived.wait()
            pop.cancel()
            await asyncio.wait([pop])
            assert pop.cancelled()

    asyncio.run(scene())


@pytest.mark.parametrize("word", [b"BEGIN", b"UPDATE", b"COMMIT"])
@pytest.mark.parametrize("way", list(Way), ids=["before it arrives", "before it is answered"])
def test_a_transaction_that_is_never_answered_is_given_up(
    server: Server, dsn: str, way: Way, word: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcore.postgres.connections.ANSWER", 0.3)

    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            await storage.push(NewJobInfo("job"))
            job = await storage.pop("default", RUNNER)

            def swallow(its_way: Way, piece: bytes) -> Fate:
                if its_way is way and word in piece:
                    proxy.rule = lambda _way, _piece: Fate.SWALLOW
                return proxy.rule(its_way, piece) if proxy.rule is not swallow else Fate.PASS

            proxy.rule = swallow
            with pytest.raises(StorageUnavailable, match="the server does not answer"):
                await storage.complete(job.returned(JobResult.FAILURE, RUNNER))
            proxy.rule = lambda _way, _piece: Fate.PASS
            found = await storage.info(job.id)
            assert found
            assert found.retry_count <= 1

    asyncio.run(scene())


def test_a_storage_whose_server_never_answers_can_be_closed(
    server: Server, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcore.postgres.connections.ANSWER", 0.3)
    monkeypatch.setattr("jobcore.postgres.sources.CONNECT", 0.3)

    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage):
            pop = asyncio.create_task(storage.pop("default", RUNNER))
            await listening(storage)
            proxy.rule = lambda _way, _piece: Fate.SWALLOW
            await storage.aclose()
            await asyncio.wait([pop])

    asyncio.run(scene())


def test_a_listener_that_hears_nothing_any_more_is_replaced(
    server: Server, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcore.postgres.connections.ANSWER", 0.3)
    monkeypatch.setattr("jobcore.postgres.listening.PING", 0.2)
    monkeypatch.setattr("jobcore.postgres.claiming.POLL", 600)

    async def scene() -> None:
        async with opened(server, dsn) as (proxy, storage), PostgresStorage(dsn) as other:
            pop = asyncio.create_task(insisting(lambda: storage.pop("default", RUNNER)))
            await listening(storage)
            proxy.rule = lambda _way, _piece: Fate.SWALLOW
            await listening(storage, listens=False)
            proxy.rule = lambda _way, _piece: Fate.PASS
            await listening(storage)
            await other.push(NewJobInfo("job"))
            await pop

    asyncio.run(scene())
