"""What the tests ask of a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dramatiq

if TYPE_CHECKING:
    from dramatiq import MessageProxy

    from jobcore.contrib.dramatiq import JobcoreBroker
    from jobcore.contrib.dramatiq._consumer import JobcoreConsumer

LONG = 60_000
"""Milliseconds within which what must come has come, on the slowest machine."""


def message(*args: Any, queue: str = "work", actor: str = "act", **options: Any) -> dramatiq.Message[Any]:
    return dramatiq.Message(queue_name=queue, actor_name=actor, args=args, kwargs={}, options=options)


def got(consumer: JobcoreConsumer) -> MessageProxy:
    """The next message, which is there or comes."""
    found = next(consumer)
    assert found is not None
    return found


def drained(broker: JobcoreBroker, queue: str = "work") -> list[Any]:
    """The first arguments of all messages that can be got, in their order; they are removed."""
    consumer = broker.consume(queue, prefetch=1, timeout=0)
    arguments = []
    while (found := next(consumer)) is not None:
        arguments.append(found.args[0])
        consumer.ack(found)
    return arguments
