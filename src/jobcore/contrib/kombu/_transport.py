"""`Transport` and `Channel`: kombu's virtual transport over a `Broker`.

The base emulates AMQP: exchanges, routing, consumers. What is left to us is where messages and bindings lie, and what
becomes of a message that was delivered. It is held by the broker, under a tag made for this delivery, until it is
acknowledged; kombu's own book of deliveries (`QoS`) counts it against the prefetch limit. Requeued, it goes back to its
old place in the one queue it came from, where the base would route it anew.

As AMQP does, a channel fetches ahead as many messages as its prefetch limit allows, and delivers one at each call of
`drain_events`. A message that waits in the channel is held like any other.
"""

# kombu's own annotations are few, and take the None of a base class for all there may be.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportOperatorIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict, deque
from queue import Empty
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import kombu.transport.base
from kombu.transport import virtual

from jobcore.contrib.kombu._memory import MemoryBroker
from jobcore.contrib.kombu._sqlite import SqliteBroker
from jobcore.errors import InvalidURL, StorageUnavailable
from jobcore.sqlite.storage import SYNCHRONOUS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jobcore.contrib._messages.messages import Delivery
    from jobcore.contrib.kombu._broker import Binding, Broker, Payload

FETCH = 32
"""At most so many messages are fetched ahead in one transaction."""
LONGEST_WAIT = 1.0
"""Seconds after which a consumer that waits looks again: the lease of a message may have run out."""


class Deliveries(virtual.QoS):
    """The deliveries of a channel that were not acknowledged yet."""

    channel: Channel

    def ack(self, delivery_tag: str) -> None:
        """Remove the message; its tag may be acknowledged from any thread."""
        self.channel.broker.ack(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002  (kombu's signature)
        """Put the message back, or remove it."""
        if requeue:
            self.channel.broker.requeue([delivery_tag])
        else:
            self.channel.broker.ack(delivery_tag)
        super().ack(delivery_tag)

    def restore_unacked(self) -> list[tuple[BaseException, virtual.Message]]:
        """Put all of them back; what could not be is returned with its error."""
        self._flush()
        errors: list[tuple[BaseException, virtual.Message]] = []
        for message in list(self._delivered.values()):
            try:
                self.channel._restore(message)  # noqa: SLF001  (as the base does)
            except Exception as error:  # noqa: BLE001  (the others are to be tried too)
                errors.append((error, message))
        self._delivered.clear()
        return errors

    def has(self, delivery_tag: str) -> bool:
        """Whether this delivery waits for its acknowledgement here."""
        return delivery_tag in self._delivered


class Channel(virtual.Channel):
    """A channel to a `Broker`."""

    QoS = Deliveries
    supports_fanout = True
    connection: Transport
    qos: Deliveries

    def __init__(self, connection: Transport, **kwargs: Any) -> None:
        self.broker: Broker = connection.broker
        self._fetched: defaultdict[str, deque[Delivery[Payload]]] = defaultdict(deque)
        self._consuming: Counter[str] = Counter()
        self._auto_delete: set[str] = set()
        self._transient: set[str] = set()  # those of them that were consumed from
        self.events: defaultdict[str, set[Callable[..., Any]]] = defaultdict(set)
        """Where a producer leaves its `on_return`, which nothing calls: what has no route is dropped."""
        super().__init__(connection, **kwargs)

    # Messages.

    def _put(self, queue: str, message: Payload, **_: Any) -> None:
        self.broker.put([queue], message, self._get_message_priority(message))

    def _put_fanout(self, exchange: str, message: Payload, routing_key: str, **_: Any) -> None:  # noqa: ARG002
        queues = {queue for _, _, queue in self.broker.bindings(exchange)}
        self.broker.put(queues, message, self._get_message_priority(message))

    def _get(self, queue: str, timeout: float | None = None) -> Payload:  # noqa: ARG002  (nobody gives one)
        fetched = self._fetched.get(queue) or deque(self.broker.get(queue, 1))
        return _message(_first(fetched))

    def _get_and_deliver(self, queue: str, callback: Callable[[Payload, str], None]) -> None:
        fetched = self._fetched[queue]
        if not fetched:
            fetched.extend(self.broker.get(queue, self._room()))
        delivery = _first(fetched)
        if queue in self.connection.no_ack:
            self.broker.ack(delivery.tag)
        callback(_message(delivery), queue)

    def _room(self) -> int:
        limit: int | None = self.qos.can_consume_max_estimate()
        if limit is None or limit > FETCH:
            return FETCH
        for fetched in self._fetched.values():
            limit -= len(fetched)
        return limit

    def _let_go(self, queue: str) -> None:
        """Put back what was fetched from this queue and not delivered."""
        if fetched := self._fetched.pop(queue, None):
            self.broker.requeue([delivery.tag for delivery in fetched])

    def _restore(self, message: virtual.Message) -> None:
        if self.qos.has(message.delivery_tag):
            self.broker.requeue([message.delivery_tag])
        else:
            super()._restore(message)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002
        """A message of this queue, or None; with `no_ack` it is removed at once."""
        message = super().basic_get(queue, no_ack, **kwargs)
        if message is not None and no_ack:
            self.broker.ack(message.delivery_tag)
        return message

    def basic_consume(
        self,
        queue: str,
        no_ack: bool,  # noqa: FBT001
        callback: Callable[..., Any],
        consumer_tag: str,
        **kwargs: Any,
    ) -> None:
        """Have the messages of this queue delivered; with `no_ack` each is removed as it is delivered."""
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        self.broker.consume(queue)
        self._consuming[queue] += 1
        if queue in self._auto_delete:
            self._transient.add(queue)
        if no_ack:
            self.connection.no_ack.add(queue)
        else:
            self.connection.no_ack.discard(queue)

    def basic_cancel(self, consumer_tag: str) -> None:
        """End a consumer."""
        queue = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if queue is not None and self._consuming[queue]:
            self.broker.cancel(queue)
            self._consuming[queue] -= 1
            if not self._consuming[queue]:
                self._let_go(queue)

    # Queues.

    def prepare_queue_arguments(self, arguments: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Arguments as AMQP has them."""
        prepared: dict[str, Any] = kombu.transport.base.to_rabbitmq_queue_arguments(arguments or {}, **kwargs)
        return prepared

    def _new_queue(
        self, queue: str, *, arguments: dict[str, Any] | None = None, auto_delete: bool = False, **_: Any
    ) -> None:
        milliseconds = (arguments or {}).get("x-expires")
        self.broker.declare(queue, None if milliseconds is None else int(milliseconds) * 1000)
        if auto_delete:
            self._auto_delete.add(queue)

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return self.broker.has(queue)

    def _size(self, queue: str) -> int:
        return self.broker.size(queue)

    def _purge(self, queue: str) -> int:
        return self.broker.purge(queue)

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **_: Any) -> None:  # noqa: ARG002, FBT001, FBT002
        """Remove a queue, its bindings and its messages; with `if_empty`, only when there are none."""
        if not (if_empty and self._size(queue)):
            self._fetched.pop(queue, None)
            self._transient.discard(queue)
            self.broker.delete(queue)

    def after_reply_message_received(self, queue: str) -> None:
        """Nothing: another reply may be on its way, and the queue ends with its channel, or expires."""

    # Bindings.

    def queue_bind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Route what is published to the exchange, by this key, to this queue."""
        exchange = exchange or "amq.direct"
        self.broker.bind(exchange, self._binding(queue, exchange, routing_key, arguments))

    def queue_unbind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Route it there no more."""
        exchange = exchange or "amq.direct"
        self.broker.unbind(exchange, self._binding(queue, exchange, routing_key, arguments))

    def _binding(self, queue: str, exchange: str, routing_key: str, arguments: dict[str, Any] | None) -> Binding:
        binding: Binding = self.typeof(exchange).prepare_bind(queue, exchange, routing_key, arguments)
        return binding

    def get_table(self, exchange: str) -> Sequence[Binding]:
        """The bindings to an exchange."""
        return self.broker.bindings(exchange)

    def close(self) -> None:
        """End the consumers, put back what was not acknowledged, remove the queues that were for this channel only."""
        if not self.closed:
            for queue in list(self._fetched):
                self._let_go(queue)
            for queue in list(self._transient):
                self.queue_delete(queue)
        super().close()


class Transport(virtual.Transport):
    """Connections to messages in memory, by any URL but that of a file, or in a file, by `sqlite:///path`.

    Options of the transport, for files: `synchronous`, `"full"` (by default: what was published outlasts a loss of
    power) or `"normal"`; `heartbeat_interval`, in seconds, 5 by default: the messages of a process that died come back
    after five times that.
    """

    Channel = Channel
    can_parse_url = True
    default_port = 0
    driver_type = "jobcore"
    driver_name = "jobcore"
    connection_errors: tuple[type[Exception], ...] = (*virtual.Transport.connection_errors, StorageUnavailable)
    implements: Any = virtual.Transport.implements.extend(exchange_type=frozenset({"direct", "topic", "fanout"}))

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.broker: Broker = broker_at(client.hostname, client.transport_options)
        self.state: Any = self.broker.state
        self.no_ack: set[str] = set()
        """Queues whose consumer acknowledges nothing; beside the base's `_callbacks`, one for each queue."""
        self._opened = False

    def driver_version(self) -> str:
        """The version of jobcore."""
        from importlib.metadata import version  # noqa: PLC0415  (who asks may wait)

        return version("jobcore")

    def establish_connection(self) -> Transport:
        """Open the broker; `StorageUnavailable` where it cannot be."""
        if not self._opened:
            self.broker.open()
            self._opened = True
        super().establish_connection()
        return self

    def close_connection(self, connection: Transport) -> None:
        """Close the channels, and let go of the broker."""
        super().close_connection(connection)
        if self._opened:
            self._opened = False
            self.broker.close()

    def drain_events(self, connection: Transport, timeout: float | None = None) -> None:  # noqa: ARG002  (this one)
        """Deliver a message, or wait for one; `TimeoutError` after so many seconds without any."""

        def delivered() -> bool | None:
            try:
                self.cycle.get(self._deliver, timeout=timeout)
            except Empty:
                return None
            return True

        if not (delivered() or self.broker.waiters.wait(None, delivered, timeout, lambda: LONGEST_WAIT)):
            raise TimeoutError


_brokers: dict[tuple[str, str, float], Broker] = {}
_lock = threading.Lock()


def broker_at(url: str | None, options: dict[str, Any]) -> Broker:
    """The broker of this process at this URL, with these options of the transport."""
    path = _path(url) if url and url.startswith("sqlite://") else ""
    synchronous = options.get("synchronous", "full")
    if synchronous not in SYNCHRONOUS:
        raise ValueError(f"synchronous must be 'full' or 'normal', not {synchronous!r}")
    interval = float(options.get("heartbeat_interval", 5))
    if not 0.001 <= interval <= 86_400:  # noqa: PLR2004  (what `NewJobInfo` takes)
        raise ValueError(f"heartbeat_interval must be 0.001 to 86400 seconds, not {interval!r}")
    key = (path, synchronous, interval) if path else ("", "", 0.0)
    with _lock:
        broker = _brokers.get(key)
        if broker is None:
            broker = (
                SqliteBroker(path, synchronous=synchronous, heartbeat_interval=interval) if path else MemoryBroker()
            )
            _brokers[key] = broker
    return broker


def _path(url: str) -> str:
    parts = urlsplit(url)
    path = unquote(parts.path.removeprefix("/"))
    # The working directory may change, and the file is opened later, maybe more than once.
    if parts.netloc or not path or parts.fragment or parse_qsl(parts.query, keep_blank_values=True):
        raise InvalidURL(
            url, "must be sqlite:///relative.db or sqlite:////absolute/path.db; options are the transport's"
        )
    return os.path.abspath(path)  # noqa: PTH100


def _first(fetched: deque[Delivery[Payload]]) -> Delivery[Payload]:
    try:
        return fetched.popleft()
    except IndexError:
        raise Empty from None


def _message(delivery: Delivery[Payload]) -> Payload:
    """The message as it is delivered: a copy, as it may lie in other queues, and be delivered again."""
    payload = delivery.payload
    properties = payload["properties"]
    info = dict(properties.get("delivery_info") or {})
    if delivery.redelivered:
        info["redelivered"] = True
    return {
        **payload,
        "headers": dict(payload.get("headers") or {}),
        "properties": {**properties, "delivery_tag": delivery.tag, "delivery_info": info},
    }
