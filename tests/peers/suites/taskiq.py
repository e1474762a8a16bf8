"""taskiq: its tests of brokers, receivers, retries and schedules.

Two brokers of its own run them. One for its tests listens on an `asyncio.Queue`; ours takes its place, with a `queue`
to look into. The other carries a message out where it is kicked; under it ours takes the message and delivers it first.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

import taskiq
from taskiq.brokers import inmemory_broker
from taskiq.exceptions import UnknownTaskError

from jobcore.contrib.taskiq import JobcoreBroker
from tests.peers.counting import counted
from tests.peers.suite import Suite

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from taskiq import AckableMessage, BrokerMessage

SUITE = Suite(
    name="taskiq: brokers, receiver, retries, schedules",
    requirement="taskiq==0.13.0",
    tests=[
        "tests/abc",
        "tests/api",
        "tests/brokers",
        "tests/cli/scheduler",
        "tests/depends",
        "tests/formatters",
        "tests/middlewares/test_simple_retry.py",
        "tests/middlewares/test_task_retry.py",
        "tests/receiver",
        "tests/scheduler",
        "tests/test_acks.py",
        "tests/test_exceptions_flow.py",
        "tests/test_funcs.py",
        "tests/test_kicker.py",
        "tests/test_requeue.py",
        "tests/test_retry_task.py",
        "tests/test_state.py",
    ],
    sdist=True,
)


@counted
class Broker(JobcoreBroker):
    """Ours, in memory."""

    def __init__(self) -> None:
        super().__init__("memory://")


class Queue:
    """What is in the queue of a broker, as an `asyncio.Queue` gives it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._messages: AsyncGenerator[AckableMessage, None] | None = None

    async def get(self) -> bytes:
        self._messages = self._messages or self._broker.listen()
        return (await anext(self._messages)).data


class AsyncQueueBroker(Broker):
    """In the place of theirs that listens."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(self)

    async def wait_tasks(self) -> None:
        storage: Any = self.storage
        while len(storage):  # noqa: ASYNC110  (theirs has no event for it either)
            await asyncio.sleep(0.001)


TheirsInMemory = inmemory_broker.InMemoryBroker


class InMemoryBroker(TheirsInMemory):
    """In the place of theirs that carries out at once: what it carries out was delivered by ours."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ours = Broker()
        self._delivering = asyncio.Lock()
        self._messages: AsyncGenerator[AckableMessage, None] | None = None

    async def kick(self, message: BrokerMessage) -> None:
        if self.find_task(message.task_name) is None:
            raise UnknownTaskError(task_name=message.task_name)
        now = {name: value for name, value in message.labels.items() if name != "delay"}  # as theirs, which has none
        await self._ours.kick(message.model_copy(update={"labels": now}))
        if self.await_inplace:
            await self._carry_out()
            return
        task = asyncio.create_task(self._carry_out())
        self._running_tasks.add(task)
        task.add_done_callback(self._running_tasks.discard)

    async def _carry_out(self) -> None:
        async with self._delivering:
            self._messages = self._messages or self._ours.listen()
            message = await anext(self._messages)
        await self.receiver.callback(message=message)


def inject() -> None:
    taskiq.InMemoryBroker = InMemoryBroker  # type: ignore[misc]
    inmemory_broker.InMemoryBroker = InMemoryBroker  # type: ignore[misc]


def pytest_sessionstart() -> None:
    # Their package `tests` can be imported now, and nothing of it has been but its conftest.
    importlib.import_module("tests.utils").AsyncQueueBroker = AsyncQueueBroker  # type: ignore[attr-defined]
