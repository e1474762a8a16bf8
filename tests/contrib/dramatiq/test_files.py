"""What a broker over a file promises beyond: messages outlast processes, and come back from those that died."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

import dramatiq
import pytest
from dramatiq import JSONEncoder, PickleEncoder
from dramatiq.errors import ConnectionClosed

from jobcore import SqliteStorage
from jobcore.contrib.dramatiq import JobcoreBroker
from tests.contrib.dramatiq.consuming import LONG, drained, got, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def brokers(path: Path) -> Iterator[list[JobcoreBroker]]:
    """Two on one file, as two processes have them."""
    made = [JobcoreBroker(f"sqlite:///{path}", heartbeat_timeout=1000) for _ in range(2)]
    for broker in made:
        broker.declare_queue("work")
    yield made
    for broker in made:
        broker.close()


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("jobcore-")]


def run(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, timeout=LONG / 1000)


def test_a_message_is_a_job_that_jobcore_can_read(brokers: list[JobcoreBroker], path: Path) -> None:
    brokers[0].enqueue(message(1, "two", actor="act", broker_priority=7))

    async def popped() -> tuple[str, object, int]:
        async with SqliteStorage(path) as storage:
            job = await storage.pop("work", UUID(int=1))
            return job.name, job.args["args"], job.priority

    assert ("act", [1, "two"], 7) == asyncio.run(asyncio.wait_for(popped(), LONG / 1000))


def test_a_delayed_message_is_a_scheduled_job(brokers: list[JobcoreBroker], path: Path) -> None:
    brokers[0].enqueue(message(1), delay=LONG)

    async def counted() -> tuple[int, object]:
        async with SqliteStorage(path) as storage:
            return (await storage.stats()).jobs, await storage.pop_many("work", UUID(int=1), 1)

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(counted(), 0.2))
    assert [] == drained(brokers[1])


@pytest.mark.parametrize("encoder", [JSONEncoder(), PickleEncoder()], ids=["JSON", "pickle"])
def test_a_message_comes_as_it_was_encoded(
    brokers: list[JobcoreBroker], encoder: dramatiq.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dramatiq.message.global_encoder", encoder)
    sent = brokers[0].enqueue(message("\N{SNOWMAN}", [1, None, {"x": 2.5}]))
    assert sent == got(brokers[1].consume("work", timeout=LONG))._message


def test_who_waits_is_woken_by_the_message_of_another_process(brokers: list[JobcoreBroker]) -> None:
    timer = threading.Timer(0.05, brokers[0].enqueue, [message(1)])
    timer.start()
    assert 1 == got(brokers[1].consume("work", timeout=LONG)).args[0]
    timer.join()


def test_a_message_is_held_for_as_long_as_its_process_lives(brokers: list[JobcoreBroker]) -> None:
    one, two = brokers
    one.enqueue(message(1))
    consumer = one.consume("work", timeout=LONG)
    held = got(consumer)
    assert next(two.consume("work", timeout=2500)) is None
    consumer.ack(held)
    two.join("work", timeout=LONG)


def test_join_waits_for_the_messages_that_other_processes_hold(brokers: list[JobcoreBroker]) -> None:
    one, two = brokers
    one.enqueue(message(1))
    consumer = one.consume("work", timeout=LONG)
    timer = threading.Timer(0.05, consumer.ack, [got(consumer)])
    timer.start()
    two.join("work", timeout=LONG)
    timer.join()


GET = """
import os, sys
from jobcore.contrib.dramatiq import JobcoreBroker
broker = JobcoreBroker(sys.argv[1], heartbeat_timeout=250)
broker.declare_queue("work")
consumer = broker.consume("work")
message = next(consumer)
"""


def test_the_message_of_a_process_that_died_comes_back(brokers: list[JobcoreBroker], path: Path) -> None:
    brokers[0].enqueue(message(1))
    run(GET + "os._exit(0)", f"sqlite:///{path}")
    assert 1 == got(brokers[0].consume("work", timeout=LONG)).args[0]


def test_an_acknowledgement_outlasts_a_process_that_ends_at_once(brokers: list[JobcoreBroker], path: Path) -> None:
    brokers[0].enqueue(message(1))
    run(GET + "consumer.ack(message)", f"sqlite:///{path}")
    brokers[0].join("work", timeout=1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_the_messages_and_none_of_what_its_parent_holds(brokers: list[JobcoreBroker]) -> None:
    broker = brokers[0]
    broker.enqueue(message("held"))
    consumer = broker.consume("work", timeout=LONG)
    held = got(consumer)
    broker.enqueue(message("waits"))
    child = os.fork()
    if child == 0:
        try:
            consumer.ack(held)
            mine = broker.consume("work", timeout=LONG)
            found = got(mine)
            mine.ack(found)
            broker.close()
            os._exit(found.args[0] != "waits")
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    consumer.requeue([held])
    assert ["held"] == drained(broker)


def test_a_broker_that_was_closed_has_no_thread_and_opens_again_when_it_is_used(brokers: list[JobcoreBroker]) -> None:
    broker = brokers[0]
    broker.enqueue(message(1))
    assert [] == own_threads()  # who only enqueues has none
    consumer = broker.consume("work", timeout=50)
    consumer.ack(got(consumer))
    assert next(consumer) is None
    assert ["jobcore-keeper", "jobcore-watcher"] == sorted(own_threads())
    broker.close()
    assert [] == own_threads()
    broker.enqueue(message(2))
    assert [2] == drained(broker)


def test_a_file_that_cannot_be_used_is_told_in_dramatiqs_words_and_used_when_it_can(path: Path) -> None:
    path.write_text("no database at all, but text that is longer than the header of one" * 20)
    with closing(JobcoreBroker(f"sqlite:///{path}")) as broker:
        broker.declare_queue("work")
        calls: list[Callable[[], object]] = [
            lambda: broker.enqueue(message(1)),
            lambda: next(broker.consume("work")),
            broker.flush_all,
        ]
        for call in calls:
            with pytest.raises(ConnectionClosed, match="not a database"):
                call()
        path.unlink()
        broker.enqueue(message(1))
        assert [1] == drained(broker)
