"""What a broker promises, in memory and over a file."""

from __future__ import annotations

import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import dramatiq
import pytest
from dramatiq.common import current_millis
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from jobcore import InvalidURL
from jobcore.contrib.dramatiq import JobcoreBroker
from tests.contrib.dramatiq.consuming import LONG, drained, got, message

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def declared(broker: JobcoreBroker) -> JobcoreBroker:
    broker.declare_queue("work")
    return broker


@pytest.mark.parametrize("call", ["consume", "join", "flush"])
def test_a_queue_that_was_not_declared_is_not_found(broker: JobcoreBroker, call: str) -> None:
    with pytest.raises(QueueNotFound):
        getattr(broker, call)("nowhere")


def test_a_message_for_a_queue_that_was_not_declared_is_refused(broker: JobcoreBroker) -> None:
    with pytest.raises(QueueNotFound):
        broker.enqueue(message(1, queue="nowhere"))


def test_a_queue_is_known_by_its_own_name_alone(broker: JobcoreBroker) -> None:
    broker.declare_queue("work.DQ")
    assert {"work"} == broker.get_declared_queues()
    assert set() == broker.get_declared_delay_queues()


def test_messages_leave_in_the_order_in_which_they_came(declared: JobcoreBroker) -> None:
    for number in range(20):
        declared.enqueue(message(number))
    assert list(range(20)) == drained(declared)


def test_a_higher_broker_priority_goes_first(declared: JobcoreBroker) -> None:
    for priority in (0, 5, None, 9, -3):
        declared.enqueue(message(priority, broker_priority=priority))
    assert [9, 5, 0, None, -3] == drained(declared)


def test_the_messages_of_an_actor_with_a_lower_priority_go_first(broker: JobcoreBroker) -> None:
    def act(_: int) -> None:
        pass

    for priority in (10, 0, 5, 10**9, -(10**9)):
        dramatiq.actor(actor_name=f"act{priority}", queue_name="work", priority=priority)(act).send(priority)
    assert [-(10**9), 0, 5, 10, 10**9] == drained(broker)


def test_a_held_message_is_nobody_elses_and_gone_when_it_is_acknowledged(declared: JobcoreBroker) -> None:
    declared.enqueue(message(1))
    consumer = declared.consume("work", timeout=0)
    held = got(consumer)
    assert [] == drained(declared)
    consumer.ack(held)
    declared.join("work", timeout=LONG)
    assert [] == drained(declared)


def test_requeued_messages_go_back_to_their_places(declared: JobcoreBroker) -> None:
    for number in range(3):
        declared.enqueue(message(number))
    consumer = declared.consume("work", prefetch=2, timeout=0)
    consumer.requeue([got(consumer), got(consumer)])
    assert [0, 1, 2] == drained(declared)


def test_a_closed_consumer_gives_back_what_it_fetched_and_keeps_what_is_worked_on(declared: JobcoreBroker) -> None:
    for number in range(3):
        declared.enqueue(message(number))
    consumer = declared.consume("work", prefetch=3, timeout=0)
    held = got(consumer)
    consumer.close()
    assert [1, 2] == drained(declared)
    declared.consume("work").ack(held)  # as a worker does whose consumer was made anew
    declared.join("work", timeout=LONG)


def test_a_consumer_holds_no_more_than_its_prefetch_allows(declared: JobcoreBroker) -> None:
    for number in range(3):
        declared.enqueue(message(number))
    consumer = declared.consume("work", prefetch=2, timeout=0)
    first, _ = got(consumer), got(consumer)
    assert next(consumer) is None
    consumer.ack(first)
    assert 2 == got(consumer).args[0]


def test_a_full_consumer_goes_on_when_another_thread_acknowledges(declared: JobcoreBroker) -> None:
    declared.enqueue(message(1))
    declared.enqueue(message(2))
    consumer = declared.consume("work", prefetch=1, timeout=LONG)
    held = got(consumer)
    timer = threading.Timer(0.05, consumer.ack, [held])
    timer.start()
    assert 2 == got(consumer).args[0]
    timer.join()


def test_a_consumer_that_waits_is_woken_by_a_message(declared: JobcoreBroker) -> None:
    timer = threading.Timer(0.05, declared.enqueue, [message(1)])
    timer.start()
    assert 1 == got(declared.consume("work", timeout=LONG)).args[0]
    timer.join()


def test_a_consumer_that_waits_in_vain_says_so_after_its_timeout(declared: JobcoreBroker) -> None:
    start = monotonic()
    assert next(declared.consume("work", timeout=50)) is None
    assert monotonic() - start >= 0.05


def test_a_consumer_that_waits_does_not_look_again_and_again(
    declared: JobcoreBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    get = declared._messages.get

    def counted(queue: str, limit: int) -> Any:
        looks.append(queue)
        return get(queue, limit)

    monkeypatch.setattr(declared._messages, "get", counted)
    assert next(declared.consume("work", timeout=500)) is None
    assert len(looks) <= 4  # before it waits, in its line, when the watching of a file begins, and at the end


def test_a_delayed_message_stays_in_the_storage_until_it_is_due(declared: JobcoreBroker) -> None:
    start = current_millis()
    declared.enqueue(message("later"), delay=200)
    assert [] == drained(declared)
    found = got(declared.consume("work", timeout=LONG))
    assert current_millis() - start >= 200
    assert ("work", {}) == (found.queue_name, found.options)


@pytest.mark.parametrize("delay", [10**18, 10 * LONG])
def test_a_message_may_be_delayed_for_ever(declared: JobcoreBroker, delay: int) -> None:
    declared.enqueue(message("never"), delay=delay)
    declared.enqueue(message("now"), delay=-delay)
    assert ["now"] == drained(declared)
    assert next(declared.consume("work", timeout=1)) is None


def test_the_message_that_is_due_first_comes_first(declared: JobcoreBroker) -> None:
    declared.enqueue(message("second"), delay=250)
    declared.enqueue(message("first"), delay=100)
    consumer = declared.consume("work", prefetch=2, timeout=LONG)
    assert ["first", "second"] == [got(consumer).args[0], got(consumer).args[0]]


def test_a_message_that_is_due_sooner_wakes_who_waits_for_a_later_one(declared: JobcoreBroker) -> None:
    declared.enqueue(message("later"), delay=10 * LONG)
    timer = threading.Timer(0.05, declared.enqueue, [message("sooner")], {"delay": 50})
    timer.start()
    assert "sooner" == got(declared.consume("work", timeout=LONG)).args[0]
    timer.join()


def test_what_enqueue_returns_says_when_a_delayed_message_is_due(declared: JobcoreBroker) -> None:
    before = current_millis()
    delayed = declared.enqueue(message(1), delay=1000)
    assert "work.DQ" == delayed.queue_name
    assert before + 1000 <= delayed.options["eta"] <= current_millis() + 1000


def test_a_delayed_message_can_be_enqueued_again_as_it_was_returned(declared: JobcoreBroker) -> None:
    declared.enqueue(declared.enqueue(message(1), delay=30))
    consumer = declared.consume("work", prefetch=2, timeout=LONG)
    assert [1, 1] == [got(consumer).args[0], got(consumer).args[0]]


class Listening(dramatiq.Middleware):
    """Notes the signals of the broker, and writes into each message."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def before_declare_queue(self, broker: dramatiq.Broker, queue_name: str) -> None:
        self.heard.append(("before declare", queue_name in broker.get_declared_queues()))

    def after_declare_queue(self, broker: dramatiq.Broker, queue_name: str) -> None:
        self.heard.append(("after declare", queue_name in broker.get_declared_queues()))

    def before_enqueue(self, _: dramatiq.Broker, message: Any, delay: int | None) -> None:
        message.options["trace"] = "written before"
        self.heard.append(("before enqueue", message.args[0], delay))

    def after_enqueue(self, _: dramatiq.Broker, message: Any, delay: int | None) -> None:
        self.heard.append(("after enqueue", message.args[0], delay))


def test_middleware_hears_of_queues_and_messages_and_may_write_into_these(broker: JobcoreBroker) -> None:
    listening = Listening()
    broker.add_middleware(listening)
    broker.declare_queue("work")
    broker.declare_queue("work")
    broker.enqueue(message(1))
    broker.enqueue(message(2), delay=10)
    assert [
        ("before declare", False),
        ("after declare", True),
        ("before enqueue", 1, None),
        ("after enqueue", 1, None),
        ("before enqueue", 2, 10),
        ("after enqueue", 2, 10),
    ] == listening.heard
    consumer = broker.consume("work", prefetch=2, timeout=LONG)
    assert [{"trace": "written before"}] * 2 == [got(consumer).options, got(consumer).options]


def test_a_rejected_message_is_kept_among_the_dead_of_its_queue(declared: JobcoreBroker) -> None:
    for number in range(3):
        declared.enqueue(message(number, broker_priority=number))
    consumer = declared.consume("work", prefetch=2, timeout=0)
    for _ in range(2):
        consumer.nack(got(consumer))
    assert [0] == drained(declared)
    assert [2, 1] == drained(declared, "work.XQ")


def test_the_dead_go_when_their_time_is_over_and_another_one_dies(url: str) -> None:
    broker = JobcoreBroker(url, dead_message_ttl=100)
    broker.declare_queue("work")
    consumer = broker.consume("work", timeout=0)
    broker.enqueue(message("old"))
    consumer.nack(got(consumer))
    died = monotonic()
    while monotonic() - died < 0.11:
        sleep(0.01)
    broker.enqueue(message("new"))
    consumer.nack(got(consumer))
    assert ["new"] == drained(broker, "work.XQ")
    broker.close()


def test_what_cannot_be_decoded_goes_to_the_dead_and_keeps_nothing_up(
    declared: JobcoreBroker, caplog: pytest.LogCaptureFixture
) -> None:
    declared._messages.put(["work"], b'{"queue_name": "work"', 0)
    declared.enqueue(message("sound"))
    assert ["sound"] == drained(declared)
    assert "cannot be decoded" in caplog.text
    delivery, *others = declared._messages.get("work.XQ", 9)
    assert (b'{"queue_name": "work"', []) == (delivery.payload, others)


def test_a_flush_removes_what_waits_what_is_delayed_and_what_died_and_leaves_what_is_held(
    declared: JobcoreBroker,
) -> None:
    for number in range(3):
        declared.enqueue(message(number))
    declared.enqueue(message("delayed"), delay=20)
    consumer = declared.consume("work", prefetch=1, timeout=0)
    consumer.nack(got(consumer))
    held = got(consumer)
    declared.flush_all()
    assert [] == drained(declared, "work.XQ")
    with pytest.raises(QueueJoinTimeout):
        declared.join("work", timeout=50)
    consumer.ack(held)
    declared.join("work", timeout=LONG)


def test_join_waits_for_what_is_held_and_for_what_is_delayed(declared: JobcoreBroker) -> None:
    declared.join("work", timeout=1)
    declared.enqueue(message(1), delay=50)
    with pytest.raises(QueueJoinTimeout):
        declared.join("work", timeout=1)
    consumer = declared.consume("work", timeout=LONG)
    held = got(consumer)
    with pytest.raises(QueueJoinTimeout):
        declared.join("work", timeout=1)
    threading.Timer(0.05, consumer.ack, [held]).start()
    declared.join("work")


def test_all_who_join_are_told(declared: JobcoreBroker) -> None:
    declared.enqueue(message(1))
    consumer = declared.consume("work", timeout=LONG)
    held = got(consumer)
    threads = [threading.Thread(target=declared.join, args=["work"]) for _ in range(3)]
    for thread in threads:
        thread.start()
    while sum(len(line) for line in declared._messages.waiters._lines.values()) < len(threads):
        sleep(0.001)
    consumer.nack(held)
    for thread in threads:
        thread.join(LONG / 1000)
        assert not thread.is_alive()


@pytest.mark.parametrize("option", ["heartbeat_timeout", "dead_message_ttl"])
def test_an_option_that_makes_no_sense_is_refused(option: str) -> None:
    options: dict[str, Any] = {option: -1}
    with pytest.raises(ValueError, match=option):
        JobcoreBroker(**options)


@pytest.mark.parametrize(
    "url", ["redis://localhost", "postgresql://localhost/db", "sqlite:///", "memory://x", "jobs.db"]
)
def test_a_url_that_names_neither_memory_nor_a_file_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        JobcoreBroker(url)


def test_messages_from_many_threads_are_each_carried_out_once(
    broker: JobcoreBroker, work: Callable[..., dramatiq.Worker]
) -> None:
    done: list[int] = []
    add = dramatiq.actor(actor_name="add", queue_name="work")(done.append)
    work(4)

    def send_ten(first: int) -> None:
        for number in range(first, first + 10):
            add.send(number)

    threads = [threading.Thread(target=send_ten, args=[10 * number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    broker.join("work", timeout=LONG)
    assert list(range(80)) == sorted(done)
