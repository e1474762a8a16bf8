"""The calls that tasks make in one turn of a loop wake the engine once, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from jobcore import JobResult, LeaseLost, NewJobInfo, SqliteStorage
from jobcore._durable.inbox import Inbox
from jobcore._durable.requests import Pop, Request, undoing

if TYPE_CHECKING:
    from pathlib import Path

ALICE, BOB = UUID(int=1), UUID(int=2)


def test_a_turn_wakes_the_engine_once_and_the_next_one_again() -> None:
    async def run() -> None:
        wakings: list[int] = []
        inbox = Inbox(lambda: wakings.append(1))

        for turn in range(1, 4):
            requests = [Request("ping") for _ in range(5)]
            for request in requests:
                inbox.put(request)
            assert turn - 1 == len(wakings)
            await asyncio.sleep(0)
            assert turn == len(wakings)
            assert requests == inbox.take(5)
            assert not inbox

    asyncio.run(run())


def test_what_is_put_in_after_the_wake_up_and_before_the_take_is_taken() -> None:
    async def run() -> None:
        wakings: list[int] = []
        inbox = Inbox(lambda: wakings.append(1))
        first, second, third = (Request("ping") for _ in range(3))
        inbox.put(first)
        await asyncio.sleep(0)
        inbox.put(second)
        assert [first] == inbox.take(1)
        inbox.put(third)
        await asyncio.sleep(0)
        assert len(wakings) == 2
        assert [second, third] == inbox.take(9)

    asyncio.run(run())


def test_a_blocked_loop_and_a_closed_one_keep_no_other_loop_waiting() -> None:
    wakings: list[int] = []
    inbox = Inbox(lambda: wakings.append(1))

    async def put() -> Pop:
        pop = Pop("default", ALICE.bytes, 1)
        inbox.put(pop)
        return pop

    async def block() -> Pop:
        pop = await put()
        assert not wakings  # for this turn goes on
        other = threading.Thread(target=asyncio.run, args=(put(),))
        other.start()
        other.join()
        assert [1] == wakings
        return pop

    pop = asyncio.run(block())
    woken = len(wakings)
    inbox.put(undoing(pop, pop.future))  # the loop is closed
    assert woken + 1 == len(wakings)
    assert ["pop", "pop", "undo"] == [request.verb for request in inbox.take(9)]


def test_each_of_the_completions_that_go_together_is_told_its_own(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            await storage.push_many([NewJobInfo(str(n)) for n in range(6)])
            jobs = await storage.pop_many("default", ALICE, 6)
            backs = [job.returned(JobResult.SUCCESS, ALICE) for job in jobs]
            backs[1] = jobs[1].returned(JobResult.SUCCESS, BOB)
            backs[2] = jobs[2].returned(JobResult.FAILURE, ALICE)
            backs[3] = jobs[0].returned(JobResult.DEAD, ALICE)  # the same job twice

            told = await asyncio.gather(*map(storage.complete, backs), return_exceptions=True)

            assert [True, False, True, True, True] == told[:1] + told[2:]
            assert isinstance(told[1], LeaseLost)
            stats = await storage.stats()
            assert (3, 0, 1, 1, 1) == (stats.completed, stats.dead, stats.failed, stats.lost_leases, stats.missing)
            assert 3 == stats.jobs
            assert [None] * 3 == [await storage.info(jobs[n].id) for n in (0, 4, 5)]

    asyncio.run(run())


@pytest.mark.parametrize("result", [JobResult.SUCCESS, JobResult.DEAD])
def test_a_lost_lease_among_removals_undoes_none_and_counts_once(path: Path, result: JobResult) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            await storage.push_many([NewJobInfo(str(n)) for n in range(4)])
            jobs = await storage.pop_many("default", ALICE, 4)
            backs = [job.returned(result, BOB if job is jobs[2] else ALICE) for job in jobs]

            told = await asyncio.gather(*map(storage.complete, backs), return_exceptions=True)

            assert [True, True, True] == told[:2] + told[3:]
            assert isinstance(told[2], LeaseLost)
            stats = await storage.stats()
            assert (3, 1, 1) == (stats.completed + stats.dead, stats.lost_leases, stats.jobs)

    asyncio.run(run())
