"""What a channel does with messages, in memory and over a file."""

from __future__ import annotations

import threading
from queue import Empty
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("kombu", reason="kombu is not installed")

from kombu import Connection, Consumer, Exchange, Queue
from kombu.exceptions import ChannelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport.virtual import Channel, Message

    Connect = Callable[..., Connection]

NONE = 0.01
"""Seconds to wait for what must not come; passes too soon rather than fails by chance."""
LONG = 60
WORK = Queue("work", Exchange("work"), routing_key="work")


def publish(connection: Connection, *bodies: Any, queue: Queue = WORK, **options: Any) -> None:
    producer = connection.Producer()
    for body in bodies:
        producer.publish(body, exchange=queue.exchange, routing_key=queue.routing_key, declare=[queue], **options)


def consume(channel: Channel, queue: Queue = WORK, *, prefetch: int = 0, no_ack: bool = False) -> list[Message]:
    """Where the messages come to be that are delivered to this channel from now on."""
    channel.basic_qos(prefetch_count=prefetch)
    delivered: list[Message] = []
    Consumer(channel, [queue], on_message=delivered.append, no_ack=no_ack).consume()
    return delivered


def drain(connection: Connection) -> None:
    """Deliver until nothing comes any more."""
    while True:
        try:
            connection.drain_events(timeout=NONE)
        except TimeoutError:
            return


def bodies(messages: list[Message]) -> list[Any]:
    return [message.decode() for message in messages]


def get(connection: Connection, queue: Queue = WORK, **options: Any) -> Any:
    """The next message, or None."""
    return queue(connection.default_channel).get(**options)


def test_higher_priorities_go_first_and_equals_in_their_order(connection: Connection) -> None:
    for name, priority in [("a", 0), ("b", 9), ("c", 5), ("d", 9), ("e", None)]:
        publish(connection, name, priority=priority)
    delivered = consume(connection.channel())
    drain(connection)
    assert ["b", "d", "c", "a", "e"] == bodies(delivered)


def test_what_is_held_is_neither_counted_nor_purged(connection: Connection) -> None:
    publish(connection, 1, 2, 3)
    channel = connection.default_channel
    held = get(connection)
    assert channel._size("work") == 2
    assert channel.queue_purge("work") == 2
    assert channel._size("work") == 0
    held.requeue()
    assert get(connection).decode() == 1


def test_a_requeued_message_comes_back_in_its_old_place_and_says_so(connection: Connection) -> None:
    publish(connection, 1, 2)
    first = get(connection)
    assert "redelivered" not in first.delivery_info
    first.requeue()
    again = get(connection)
    assert (again.decode(), again.delivery_info["redelivered"]) == (1, True)
    assert get(connection).decode() == 2


def test_a_requeued_message_goes_to_the_queue_it_came_from_alone(connection: Connection) -> None:
    everywhere = Exchange("everywhere", type="fanout")
    one, two = Queue("one", everywhere), Queue("two", everywhere)
    for queue in (one, two):
        queue(connection.default_channel).declare()
    publish(connection, "to both", queue=one)
    get(connection, one).requeue()
    assert connection.default_channel._size("one") == connection.default_channel._size("two") == 1


def test_an_acknowledged_message_and_a_rejected_one_are_gone(connection: Connection, connect: Connect) -> None:
    publish(connection, 1, 2)
    get(connection).ack()
    get(connection).reject()
    connection.close()
    assert get(connect()) is None


def test_a_tag_of_an_earlier_delivery_changes_nothing(connection: Connection) -> None:
    publish(connection, "it")
    first = get(connection)
    tag = first.delivery_tag
    first.requeue()
    second = get(connection)
    assert second.delivery_tag != tag
    connection.default_channel.basic_ack(tag)
    second.requeue()
    assert get(connection).decode() == "it"


def test_a_consumer_that_acknowledges_nothing_gets_each_message_once(connection: Connection, connect: Connect) -> None:
    publish(connection, *range(5))
    delivered = consume(connection.channel(), no_ack=True)
    drain(connection)
    assert [0, 1, 2, 3, 4] == bodies(delivered)
    publish(connection, "by get")
    connection.close()
    other = connect()
    assert get(other, no_ack=True).decode() == "by get"
    other.close()
    assert get(connect()) is None


def test_a_channel_that_closes_puts_back_what_was_not_acknowledged(connection: Connection, connect: Connect) -> None:
    publish(connection, 1, 2, 3)
    other = connect()
    delivered = consume(other.channel(), prefetch=2)
    other.drain_events(timeout=LONG)
    assert [1] == bodies(delivered)
    other.close()
    later = consume(connection.channel())
    drain(connection)
    assert [1, 2, 3] == bodies(later)


def test_no_more_is_fetched_than_the_prefetch_limit_allows(connection: Connection, connect: Connect) -> None:
    publish(connection, 1, 2, 3)
    delivered = consume(connection.channel(), prefetch=2)
    drain(connection)
    assert [1, 2] == bodies(delivered)
    assert get(connect()).decode() == 3


def test_what_was_fetched_ahead_goes_back_when_the_consumer_is_cancelled(
    connection: Connection, connect: Connect
) -> None:
    publish(connection, 1, 2, 3)
    channel = connection.channel()
    delivered: list[Message] = []
    consumer = Consumer(channel, [WORK], on_message=delivered.append)
    consumer.consume()
    connection.drain_events(timeout=LONG)
    consumer.cancel()
    assert [1] == bodies(delivered)
    assert connect().default_channel._size("work") == 2


def test_who_waits_is_woken_by_a_message_from_another_thread(connection: Connection, connect: Connect) -> None:
    WORK(connection.default_channel).declare()
    delivered = consume(connection.channel())
    publisher = connect()
    thread = threading.Thread(target=publish, args=(publisher, "it"))
    thread.start()
    connection.drain_events(timeout=LONG)
    thread.join()
    assert ["it"] == bodies(delivered)


def test_who_waits_for_room_is_woken_by_an_acknowledgement_from_another_thread(connection: Connection) -> None:
    publish(connection, 1, 2)
    delivered = consume(connection.channel(), prefetch=1)
    connection.drain_events(timeout=LONG)
    thread = threading.Thread(target=delivered[0].ack)
    thread.start()
    connection.drain_events(timeout=LONG)
    thread.join()
    assert [1, 2] == bodies(delivered)


def test_waiting_in_vain_ends_with_a_timeout(connection: Connection) -> None:
    consume(connection.channel())
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=NONE)


def test_a_fanout_reaches_every_queue_that_is_bound_and_no_other(connection: Connection, connect: Connect) -> None:
    news = Exchange("news", type="fanout")
    queues = [Queue(name, news) for name in ("a", "b", "c")]
    subscriber = connect()
    for queue in queues:
        queue(subscriber.default_channel).declare()
    queues[2](subscriber.default_channel).unbind_from(news)
    connection.Producer().publish("extra", exchange=news, declare=[news])
    assert ["extra", "extra"] == [get(subscriber, queue).decode() for queue in queues[:2]]
    assert get(subscriber, queues[2]) is None


def test_topics_are_matched_by_their_words(connection: Connection, connect: Connect) -> None:
    weather = Exchange("weather", type="topic")
    subscriber = connect()
    all_of_it, rain = Queue("all", weather, routing_key="#"), Queue("rain", weather, routing_key="*.rain")
    for queue in (all_of_it, rain):
        queue(subscriber.default_channel).declare()
    producer = connection.Producer()
    producer.publish("wet", exchange=weather, routing_key="oslo.rain", declare=[weather])
    producer.publish("dry", exchange=weather, routing_key="rome.sun")
    assert ["wet", "dry"] == [get(subscriber, all_of_it).decode() for _ in range(2)]
    assert get(subscriber, rain).decode() == "wet"
    assert get(subscriber, rain) is None


def test_what_a_consumer_does_to_its_message_changes_no_other(connection: Connection) -> None:
    news = Exchange("news", type="fanout")
    queues = [Queue(name, news) for name in ("a", "b")]
    for queue in queues:
        queue(connection.default_channel).declare()
    connection.Producer().publish("extra", exchange=news, headers={"seen": 0})
    first = get(connection, queues[0])
    first.headers["seen"] = 1
    first.properties["priority"] = 9
    first.requeue()
    for queue in queues:
        message = get(connection, queue)
        assert (message.headers["seen"], message.properties["priority"]) == (0, 0)


def test_a_deleted_queue_has_no_messages_and_no_bindings(connection: Connection) -> None:
    publish(connection, 1, 2)
    held = get(connection)
    WORK(connection.default_channel).delete()
    held.requeue()
    connection.Producer().publish("nowhere", exchange="work", routing_key="work")
    assert get(connection) is None
    with pytest.raises(ChannelError):
        connection.default_channel.queue_declare("work", passive=True)


def test_an_auto_delete_queue_goes_with_the_channel_that_consumed_from_it(
    connection: Connection, connect: Connect
) -> None:
    mine = Queue("mine", WORK.exchange, routing_key="work", auto_delete=True)
    channel = connect().channel()
    consume(channel, mine)
    assert connection.default_channel._has_queue("mine")
    channel.close()
    assert not connection.default_channel._has_queue("mine")
    assert list(connection.default_channel.get_table("work")) == []


def test_bytes_and_text_arrive_as_they_were_sent(connection: Connection) -> None:
    publish(connection, b"\x00\xff", "\N{SNOWMAN}")
    assert get(connection).body == b"\x00\xff"
    assert get(connection).decode() == "\N{SNOWMAN}"


def test_a_channel_without_room_gets_nothing(connection: Connection) -> None:
    publish(connection, 1, 2)
    channel = connection.channel()
    consume(channel, prefetch=1)
    connection.drain_events(timeout=LONG)
    with pytest.raises(Empty):
        channel.drain_events()
