"""`JobcoreBroker`: what dramatiq asks of a broker, in terms of `Messages`.

dramatiq's other brokers keep a delayed message in a second queue, from which a worker fetches it long before its time,
to hold it in its memory and to enqueue it anew when the time has come. Here a message is put into its one queue at
once, and nobody gets it before it is due; so there are no delay queues, and no worker holds what is not due yet.
"""

# dramatiq leaves out some types: of what a copy of a message takes, and of what its actor returns.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dramatiq import Broker
from dramatiq.common import current_millis, dq_name, q_name, xq_name
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from jobcore._time import LATEST
from jobcore.contrib._messages.memory import MemoryMessages
from jobcore.contrib.dramatiq._consumer import JobcoreConsumer, told
from jobcore.errors import InvalidURL
from jobcore.opening import sqlite_place

if TYPE_CHECKING:
    from dramatiq import Message, Middleware

    from jobcore.contrib._messages.messages import Messages

DAY = 86_400_000
LOWEST, HIGHEST = -32768, 32767


class JobcoreBroker(Broker):
    """A broker for dramatiq, without a server.

    In memory by default, for the threads of this process. `url="sqlite:///jobs.db"` keeps the messages in a file, for
    the processes of this machine. There `enqueue` returns when its message is durable, against a loss of power as well;
    with `?synchronous=normal`, which is faster, against a killed process only.

    Messages that a process held when it died come back `heartbeat_timeout` milliseconds after its last sign of life. A
    message that failed for good is kept for `dead_message_ttl` milliseconds, and then until the next one of its queue.

    Raises `ValueError` for options that make no sense, `InvalidURL` among them; where the file cannot be used, its
    methods raise dramatiq's `ConnectionClosed`.
    """

    def __init__(
        self,
        url: str = "memory://",
        *,
        middleware: list[Middleware] | None = None,
        heartbeat_timeout: int = 25_000,
        dead_message_ttl: int = 7 * DAY,
    ) -> None:
        super().__init__(middleware)
        self.queues: dict[str, None] = {}
        if not 5 <= heartbeat_timeout <= 5 * DAY:  # noqa: PLR2004  (five heartbeats, of what `NewJobInfo` takes)
            raise ValueError(f"heartbeat_timeout must be 5 to {5 * DAY} milliseconds, not {heartbeat_timeout!r}")
        if dead_message_ttl < 0:
            raise ValueError(f"dead_message_ttl must not be negative, and is {dead_message_ttl!r}")
        self.dead_message_ttl: int = dead_message_ttl
        self._messages = _open(url, heartbeat_timeout)

    def declare_queue(self, queue_name: str) -> None:
        """Make a queue known to this broker, once."""
        queue_name = q_name(queue_name)
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Put a message into its queue, from which it can be got in so many milliseconds.

        What goes first among the messages of a queue: a higher `broker_priority`, which counts as with RabbitMQ; where
        the message has none, a lower `priority` of its actor. Then what is due earlier.

        Raises `QueueNotFound` if its queue was not declared.
        """
        queue = self._declared(message.queue_name)
        if delay is not None:
            message = message.copy(queue_name=dq_name(queue), options={"eta": current_millis() + delay})
        self.emit_before("enqueue", message, delay)
        stored, due = _scheduled(message, queue)
        with told():
            self._messages.put([queue], stored.encode(), self._priority(message), name=message.actor_name, due=due)
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> JobcoreConsumer:
        """A consumer of a queue, or, by the name that ends in `.XQ`, of the messages of a queue that failed for good.

        It holds up to `prefetch` messages at once, and waits for the next one up to `timeout` milliseconds. Raises
        `QueueNotFound` if the queue was not declared.
        """
        queue = self._declared(queue_name)
        if queue_name == xq_name(queue):
            queue = queue_name
        return JobcoreConsumer(self._messages, queue, prefetch, timeout, self.dead_message_ttl)

    def flush(self, queue_name: str) -> None:
        """Remove the messages of a queue that nobody holds: those that wait, that are delayed, and that failed."""
        queue = self._declared(queue_name)
        with told():
            for name in (queue, xq_name(queue)):
                self._messages.purge(name)

    def flush_all(self) -> None:
        """Do that to all declared queues."""
        for queue in list(self.queues):
            self.flush(queue)

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Wait until a queue holds no message, not even one that is worked on or delayed.

        Raises `QueueJoinTimeout` after so many milliseconds, and `QueueNotFound` if the queue was not declared.
        """
        queue = self._declared(queue_name)
        with told():
            if not self._messages.join(queue, None if timeout is None else timeout / 1000):
                raise QueueJoinTimeout(queue_name)

    def close(self) -> None:
        """Write down what was acknowledged, and let go of the file until the next call."""
        with told():
            self._messages.close()

    def _declared(self, queue_name: str) -> str:
        queue = q_name(queue_name)
        if queue not in self.queues:
            raise QueueNotFound(queue_name)
        return queue

    def _priority(self, message: Message[Any]) -> int:
        priority = message.options.get("broker_priority")
        if priority is None:
            actor = self.actors.get(message.actor_name)
            priority = 0 if actor is None else -actor.priority
        return min(max(LOWEST, int(priority)), HIGHEST)


def _scheduled(message: Message[Any], queue: str) -> tuple[Message[Any], int]:
    """The message without its `eta`, and this in microseconds; one that is no number is for the worker to judge."""
    stored = message.copy(queue_name=queue)
    if isinstance(stored.options.get("eta"), int | float):
        return stored, int(min(max(0, stored.options.pop("eta") * 1000), LATEST))
    return stored, time.time_ns() // 1000


def _open(url: str, heartbeat_timeout: int) -> Messages[bytes]:
    scheme = urlsplit(url).scheme
    if url == "memory://":
        return MemoryMessages()
    if scheme == "sqlite":
        from jobcore.contrib._messages.sqlite import SqliteMessages  # noqa: PLC0415  (memory needs no sqlite3)
        from jobcore.contrib._messages.tables import MessageTables  # noqa: PLC0415
        from jobcore.contrib.dramatiq._encoding import from_json, to_json  # noqa: PLC0415

        path, synchronous = sqlite_place(url)
        interval = heartbeat_timeout / 5000
        return SqliteMessages(
            path, MessageTables, to_json, from_json, synchronous=synchronous, heartbeat_interval=interval
        )
    if scheme in {"postgresql", "postgres"}:
        raise InvalidURL(url, "is not for this: for several machines, dramatiq has brokers over Redis and RabbitMQ")
    raise InvalidURL(url, "must be memory://, sqlite:///relative.db or sqlite:////absolute/path.db")
