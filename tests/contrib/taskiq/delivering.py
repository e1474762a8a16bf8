"""What the tests of the broker do by hand that a receiver of taskiq does otherwise."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from taskiq import AckableMessage, BrokerMessage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from jobcore.stats import StorageStats

PATIENCE = 60
"""Seconds; whatever is waited for ends the test when it has not come by then."""


def message(text: bytes, **labels: Any) -> BrokerMessage:
    return BrokerMessage(task_id="id", task_name="task", message=text, labels=labels)


async def next_of(messages: AsyncGenerator[AckableMessage, None]) -> AckableMessage:
    async with asyncio.timeout(PATIENCE):
        return await anext(messages)


async def acknowledge(delivered: AckableMessage) -> None:
    acknowledging = delivered.ack()
    assert acknowledging is not None
    await acknowledging


async def taken(messages: AsyncGenerator[AckableMessage, None], number: int) -> list[bytes]:
    """The next so many, acknowledged."""
    texts = []
    for _ in range(number):
        delivered = await next_of(messages)
        await acknowledge(delivered)
        texts.append(delivered.data)
    return texts


async def stats_of(storage: Any) -> StorageStats:
    found = storage.stats()
    stats: StorageStats = await found if isawaitable(found) else found
    return stats


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again; nobody sets an event for it."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
