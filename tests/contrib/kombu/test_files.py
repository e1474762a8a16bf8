"""What a broker over a file promises beyond: messages outlast processes, and come back from those that died."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

pytest.importorskip("kombu", reason="kombu is not installed")

from kombu import Connection
from kombu.exceptions import OperationalError

from jobcore import InvalidURL, SqliteStorage, StorageUnavailable
from jobcore.contrib.kombu import _transport
from jobcore.contrib.kombu._sqlite import SqliteBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600
SECOND = 1_000_000_000


class StoppedClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_900_000_000 * SECOND

    def time_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


def message(text: str) -> dict[str, Any]:
    return {"body": text, "headers": {}, "properties": {"delivery_tag": "", "delivery_info": {}}}


def let_be_due(path: str) -> None:
    """What was put by the stopped clock, in 2030, is due now."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE job SET due = 0, at = 0")


@pytest.fixture
def brokers(tmp_path: Path, clock: StoppedClock) -> Iterator[list[SqliteBroker]]:
    """As two processes would have them; their keepers beat when a test tells them to."""
    made = [SqliteBroker(f"{tmp_path}/queues.db", heartbeat_interval=HOUR, clock=clock) for _ in range(2)]
    for broker in made:
        broker.open()
    yield made
    for broker in made:
        broker.close()


def run(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, timeout=60)


def test_a_lease_lasts_while_its_holder_beats_and_not_longer(brokers: list[SqliteBroker], clock: StoppedClock) -> None:
    one, two = brokers
    one.put(["work"], message("it"), 0)
    (held,) = one.get("work", 9)
    for _ in range(3):
        clock.now += 5 * HOUR * SECOND
        assert not two.get("work", 9)
        one._beat()
    clock.now += 5 * HOUR * SECOND + 1000
    (again,) = two.get("work", 9)
    assert (again.payload["body"], again.redelivered) == ("it", True)
    assert again.tag != held.tag


def test_a_message_is_leased_by_the_heartbeat_of_its_consumer(
    brokers: list[SqliteBroker], clock: StoppedClock, tmp_path: Path
) -> None:
    hasty = SqliteBroker(f"{tmp_path}/queues.db", heartbeat_interval=1, clock=clock)
    hasty.put(["work"], message("it"), 0)
    hasty.close()
    one, two = brokers
    (held,) = one.get("work", 1)
    clock.now += 4 * HOUR * SECOND
    assert not two.get("work", 1)
    one.ack(held.tag)


def test_who_lost_the_lease_can_neither_acknowledge_nor_requeue(
    brokers: list[SqliteBroker], clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = brokers
    one.put(["work"], message("it"), 0)
    (lost,) = one.get("work", 1)
    clock.now += 5 * HOUR * SECOND + 1000
    (held,) = two.get("work", 1)
    one.requeue([lost.tag])
    assert not one.get("work", 1)
    clock.now += 5 * HOUR * SECOND + 1000
    (lost,) = one.get("work", 1)
    clock.now += 5 * HOUR * SECOND + 1000
    (held,) = two.get("work", 1)
    one._beat()
    assert "ran out" in caplog.text
    one.ack(lost.tag)
    one.flush()
    two.requeue([held.tag])
    assert [delivery.payload["body"] for delivery in one.get("work", 1)] == ["it"]


def test_an_acknowledgement_is_carried_by_the_next_transaction(brokers: list[SqliteBroker], tmp_path: Path) -> None:
    one, two = brokers
    one.put(["work"], message("it"), 0)
    (held,) = one.get("work", 1)
    one.ack(held.tag)
    one.put(["other"], message("another"), 0)

    async def found() -> int:
        async with SqliteStorage(f"{tmp_path}/queues.db") as storage:
            return (await storage.stats()).jobs

    assert asyncio.run(found()) == 1
    assert two.size("work") == 0


def test_a_message_is_a_job_that_jobcore_can_read(brokers: list[SqliteBroker], tmp_path: Path) -> None:
    brokers[0].put(["work"], message("it"), 7)

    async def popped() -> tuple[object, int]:
        async with SqliteStorage(f"{tmp_path}/queues.db") as storage:
            job = await storage.pop("work", UUID(int=1))
            return job.args["body"], job.priority

    let_be_due(f"{tmp_path}/queues.db")
    assert asyncio.run(asyncio.wait_for(popped(), 60)) == ("it", 7)


def test_who_waits_is_told_of_what_another_process_writes(brokers: list[SqliteBroker]) -> None:
    one, two = brokers
    timer = threading.Timer(0.05, one.put, [["work"], message("it"), 0])
    timer.start()
    found = two.waiters.wait(None, lambda: two.get("work", 1) or None, 60)
    assert found is not None
    assert [delivery.payload["body"] for delivery in found] == ["it"]
    timer.join()


def test_bindings_of_another_process_route(brokers: list[SqliteBroker]) -> None:
    one, two = brokers
    one.bind("exchange", ("key", None, "queue"))
    assert list(two.bindings("exchange")) == [("key", None, "queue")]
    two.unbind("exchange", ("key", None, "queue"))
    assert list(one.bindings("exchange")) == []


def test_a_queue_that_nobody_uses_expires_with_its_messages_and_bindings(
    brokers: list[SqliteBroker], clock: StoppedClock
) -> None:
    one, two = brokers
    one.declare("short", expires=10)
    one.bind("exchange", ("", None, "short"))
    one.put(["short"], message("it"), 0)
    clock.now += 11_000
    two._beat()
    assert not two.has("short")
    assert list(two.bindings("exchange")) == []
    assert two.size("short") == 0


def test_a_queue_with_a_consumer_lives_as_long_as_its_process_beats(
    brokers: list[SqliteBroker], clock: StoppedClock
) -> None:
    one, two = brokers
    one.declare("short", expires=10)
    one.consume("short")
    one._beat()
    clock.now += 4 * HOUR * SECOND
    two._beat()
    assert two.has("short")
    one.cancel("short")
    clock.now += 2 * HOUR * SECOND
    two._beat()
    assert not two.has("short")


def test_a_consumer_whose_queue_expired_is_told_to_declare_it_again(
    brokers: list[SqliteBroker], clock: StoppedClock
) -> None:
    one, two = brokers
    one.declare("short", expires=10)
    one.consume("short")
    clock.now += 11_000
    two._beat()
    one._beat()
    with pytest.raises(StorageUnavailable, match="expired"):
        one.get("short", 1)
    one.declare("short", expires=10)
    assert not one.get("short", 1)


def test_who_only_publishes_has_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "_brokers", {})
    with Connection(f"jobcore+sqlite:///{tmp_path}/queues.db") as connection:
        connection.SimpleQueue("work").put("it")
        assert not [thread for thread in threading.enumerate() if thread.name == "jobcore-keeper"]


def test_a_closed_connection_leaves_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "_brokers", {})
    with Connection(f"jobcore+sqlite:///{tmp_path}/queues.db") as connection:
        queue = connection.SimpleQueue("work")
        queue.put("it")
        queue.get(timeout=60).ack()
        assert [thread for thread in threading.enumerate() if thread.name == "jobcore-keeper"]
    assert not [thread for thread in threading.enumerate() if thread.name == "jobcore-keeper"]


GET = """
import os, sys
import jobcore.contrib.kombu
from kombu import Connection
from kombu.exceptions import OperationalError
connection = Connection(sys.argv[1], transport_options={"heartbeat_interval": 0.05})
message = connection.SimpleQueue("work").get(timeout=60)
"""


def test_the_message_of_a_process_that_died_comes_back(tmp_path: Path) -> None:
    url = f"jobcore+sqlite:///{tmp_path}/queues.db"
    with Connection(url, transport_options={"heartbeat_interval": 0.05}) as connection:
        queue = connection.SimpleQueue("work")
        queue.put("it")
        run(GET + "os._exit(0)", url)
        message = queue.get(timeout=60)
        assert (message.payload, message.delivery_info["redelivered"]) == ("it", True)
        message.ack()


def test_an_acknowledgement_outlasts_a_process_that_ends_at_once(tmp_path: Path) -> None:
    url = f"jobcore+sqlite:///{tmp_path}/queues.db"
    with Connection(url, transport_options={"heartbeat_interval": 0.05}) as connection:
        queue = connection.SimpleQueue("work")
        queue.put("it")
        run(GET + "message.ack()", url)
        assert queue.qsize() == 0
        broker = connection.transport.broker
        assert broker._read(lambda tables: tables._execute("SELECT count(*) FROM job").fetchone()) == (0,)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_the_messages_and_none_of_what_its_parent_holds(tmp_path: Path) -> None:
    with Connection(f"jobcore+sqlite:///{tmp_path}/queues.db") as connection:
        queue = connection.SimpleQueue("work")
        queue.put("held")
        held = queue.get(timeout=60)
        queue.put("waits")
        child = os.fork()
        if child == 0:
            try:
                held.channel.basic_ack(held.delivery_tag)
                with Connection(f"jobcore+sqlite:///{tmp_path}/queues.db") as own:
                    mine = own.SimpleQueue("work").get(timeout=60)
                    mine.ack()
                    os._exit(mine.payload != "waits")
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        held.requeue()
        assert queue.get(timeout=60).payload == "held"


def test_a_broken_file_is_told_and_a_new_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "_brokers", {})
    path = tmp_path / "queues.db"
    path.write_text("no database at all, but text that is longer than the header of one" * 20)
    connection = Connection(f"jobcore+sqlite:///{path}")
    with pytest.raises(OperationalError, match="not a database"):
        connection.ensure_connection(max_retries=1, interval_start=0)
    path.unlink()
    with connection:
        connection.SimpleQueue("work").put("it")
        assert connection.SimpleQueue("work").get(timeout=60).payload == "it"


@pytest.mark.parametrize("url", ["sqlite://queues.db", "sqlite:///", "sqlite:///queues.db?synchronous=full"])
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        Connection(f"jobcore+{url}").connect()


@pytest.mark.parametrize("options", [{"synchronous": "off"}, {"heartbeat_interval": 0}])
def test_an_option_that_makes_no_sense_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Connection(f"jobcore+sqlite:///{tmp_path}/queues.db", transport_options=options).connect()
