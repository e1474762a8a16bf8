"""A message stays with its worker until it is acknowledged, and comes back when the worker is gone."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("taskiq", reason="taskiq is in the group `contrib`, where this Python has its wheels")

from taskiq.api import run_receiver_task

from jobcore.contrib.taskiq import JobcoreBroker
from tests.contrib.taskiq.delivering import PATIENCE, acknowledge, message, next_of, stats_of, until

if TYPE_CHECKING:
    from jobcore.storage import BatchStorage

WORKER = Path(__file__).with_name("taskiq_worker.py")
SHORT = timedelta(milliseconds=100)


async def running_in(storage: BatchStorage) -> int:
    return (await stats_of(storage)).running


def start(url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, WORKER, url], stdout=subprocess.PIPE)


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_the_message_of_a_killed_worker_is_delivered_again(durable_url: str) -> None:
    async def main() -> None:
        broker = JobcoreBroker(durable_url, heartbeat_interval=SHORT)
        delivered = asyncio.Event()

        @broker.task("task")
        async def task() -> None:
            delivered.set()

        await task.kiq()
        with start(durable_url) as worker:
            try:
                assert worker.stdout
                assert b"taken\n" == await asyncio.to_thread(worker.stdout.readline)
            finally:
                worker.kill()
        receiver = asyncio.create_task(run_receiver_task(broker))
        async with asyncio.timeout(PATIENCE):
            await delivered.wait()
        receiver.cancel()
        await asyncio.wait([receiver])
        await broker.shutdown()

    asyncio.run(main())


def test_a_message_that_is_out_outlasts_its_lease(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage, heartbeat_interval=SHORT)
        await broker.kick(message(b"long"))
        first, second = broker.listen(), broker.listen()
        held = await next_of(first)
        await broker.kick(message(b"after four leases", delay=4 * 5 * SHORT.total_seconds()))
        assert b"after four leases" == (await next_of(second)).data
        await acknowledge(held)
        assert 1 == await running_in(storage)
        await first.aclose()
        await second.aclose()
        await broker.shutdown()

    asyncio.run(main())


def test_it_stays_held_when_the_listener_closes_before_it_is_done(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage, heartbeat_interval=SHORT)
        await broker.kick(message(b"long"))
        first, second = broker.listen(), broker.listen()
        held = await next_of(first)
        await first.aclose()
        await broker.kick(message(b"after four leases", delay=4 * 5 * SHORT.total_seconds()))
        assert b"after four leases" == (await next_of(second)).data
        await acknowledge(held)
        await second.aclose()
        assert 1 == await running_in(storage)
        await broker.shutdown()

    asyncio.run(main())


def test_what_nobody_acknowledges_in_time_is_delivered_again(
    storage: BatchStorage, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage, heartbeat_interval=SHORT / 5, ack_timeout=SHORT)
        await broker.kick(message(b"forgotten"))
        first, second = broker.listen(), broker.listen()
        late = await next_of(first)
        again = await next_of(second)
        assert b"forgotten" == again.data
        with caplog.at_level(logging.WARNING, "jobcore.taskiq"):
            await acknowledge(late)
        assert "acknowledged too late" in caplog.text
        await acknowledge(again)
        await first.aclose()
        await second.aclose()
        await broker.shutdown()

    asyncio.run(main())


def test_the_message_of_a_broker_that_was_shut_down_is_delivered_again(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage, heartbeat_interval=SHORT / 5)
        await broker.kick(message(b"left"))
        messages = broker.listen()
        await next_of(messages)
        await broker.shutdown()
        other = broker.listen()
        assert b"left" == (await next_of(other)).data
        await messages.aclose()
        await other.aclose()
        await broker.shutdown()

    asyncio.run(main())


def test_a_receiver_that_is_full_holds_no_more_than_it_took(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage)
        for number in range(20):
            await broker.kick(message(b"%d" % number))
        messages = broker.listen()
        out = [await next_of(messages) for _ in range(5)]
        assert 7 == await running_in(storage), "batches of 1, 2 and 4"

        async def given_back() -> bool:
            return await running_in(storage) == 5

        await until(given_back)
        for one in out[:2]:
            await acknowledge(one)
        assert b"5" == (await next_of(messages)).data, "what was given back kept its place"
        assert 5 == await running_in(storage), "a batch of what was done"
        assert [b"6", b"7"] == [(await next_of(messages)).data, (await next_of(messages)).data]
        await messages.aclose()
        await broker.shutdown()

    asyncio.run(main())


def test_what_was_not_asked_for_when_the_listener_closes_is_given_back_at_once(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage)
        for number in range(20):
            await broker.kick(message(b"%d" % number))
        messages = broker.listen()
        for _ in range(5):
            await next_of(messages)
        await messages.aclose()
        assert 5 == await running_in(storage)
        other = broker.listen()
        assert b"5" == (await next_of(other)).data
        await other.aclose()
        await broker.shutdown()

    asyncio.run(main())
