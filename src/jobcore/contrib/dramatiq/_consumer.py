"""`JobcoreConsumer`: the messages of one queue, of which it holds so many at most.

One thread asks for the next message, and fetches as many as there is room for in one transaction; the threads of the
worker acknowledge. The first waits for room, which they make, and then for messages, which the storage tells of.
"""

# dramatiq leaves out some types: of what a copy of a message takes, and of what its actor returns.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from dramatiq import Consumer, Message, MessageProxy
from dramatiq.common import xq_name
from dramatiq.errors import ConnectionClosed, DecodeError
from dramatiq.logging import get_logger

from jobcore.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from jobcore.contrib._messages.messages import Delivery, Messages


class Delivered(MessageProxy):
    """A message, with the tag of its delivery."""

    def __init__(self, message: Message[Any], tag: str) -> None:
        super().__init__(message)
        self.tag: str = tag


class JobcoreConsumer(Consumer):
    """An endless iterator, which yields None when no message came in `timeout` milliseconds."""

    def __init__(
        self, messages: Messages[bytes], queue_name: str, prefetch: int, timeout: int, dead_message_ttl: int
    ) -> None:
        self.logger: Any = get_logger(__name__, type(self))
        self.queue_name: str = queue_name
        self.prefetch: int = prefetch
        self.timeout: int = timeout
        self._messages = messages
        self._kept = dead_message_ttl * 1000
        self._fetched: deque[Delivery[bytes]] = deque()
        self._room = threading.Condition()
        self._held: set[str] = set()  # guarded by that

    def __next__(self) -> Delivered | None:
        """The next message, as soon as there is one and room for it, or None."""
        deadline = monotonic() + self.timeout / 1000
        with told():
            while self._fetched or self._fetch_until(deadline):
                delivery = self._fetched.popleft()
                try:
                    return Delivered(Message.decode(delivery.payload), delivery.tag)
                except DecodeError:
                    self.logger.exception("A message in %r cannot be decoded. Moving it to the DLQ.", self.queue_name)
                    self._bury(delivery.tag)
        return None

    def ack(self, message: MessageProxy) -> None:
        """Remove a message that was worked on."""
        tag = _tag(message)
        with told():
            self._messages.ack(tag)
        self._let_go([tag])

    def nack(self, message: MessageProxy) -> None:
        """Move a message to those of its queue that failed for good."""
        with told():
            self._bury(_tag(message))

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put messages back to where they were in the queue."""
        self._requeue([_tag(message) for message in messages])

    def close(self) -> None:
        """Put back what was fetched and not asked for."""
        fetched = [delivery.tag for delivery in self._fetched]
        self._fetched.clear()
        self._requeue(fetched)

    def _fetch_until(self, deadline: float) -> bool:
        with self._room:
            if not self._room.wait_for(lambda: len(self._held) < self.prefetch, deadline - monotonic()):
                return False
        fetched = self._fetch() or self._messages.wait(self.queue_name, self._fetch, deadline - monotonic())
        self._fetched.extend(fetched or ())
        return bool(fetched)

    def _fetch(self) -> Sequence[Delivery[bytes]] | None:
        deliveries = self._messages.get(self.queue_name, self.prefetch - len(self._held))
        with self._room:
            self._held.update([delivery.tag for delivery in deliveries])
        return deliveries or None

    def _bury(self, tag: str) -> None:
        self._messages.bury(tag, xq_name(self.queue_name), self._kept)
        self._let_go([tag])

    def _requeue(self, tags: list[str]) -> None:
        with told():
            self._messages.requeue(tags)
        self._let_go(tags)

    def _let_go(self, tags: list[str]) -> None:
        with self._room:
            self._held.difference_update(tags)
            self._room.notify()


@contextmanager
def told() -> Generator[None]:
    """Tell in dramatiq's words that the file cannot be used."""
    try:
        yield
    except StorageUnavailable as error:
        raise ConnectionClosed(error) from error


def _tag(message: MessageProxy) -> str:
    tag: str = message.tag
    return tag
