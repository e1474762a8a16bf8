"""Our broker for taskiq, in memory, beside one that listens on a bare `asyncio.Queue`.

`python -m bench.contrib.taskiq` writes a page. Both run under the same receiver of taskiq, whose own work is most of
what is timed. The bare queue orders nothing, holds no leases and loses what it gave out; it is what taskiq's own tests
listen on, and as fast as a broker can be.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from time import perf_counter
from typing import TYPE_CHECKING

from taskiq import AckableMessage, AsyncBroker, BrokerMessage
from taskiq.api import run_receiver_task

from bench.contrib.comparing import compare, write_page
from bench.loads import SMOKE
from jobcore.contrib.taskiq import JobcoreBroker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

MESSAGES = 50 if SMOKE else 2_000
ROUNDS = 1 if SMOKE else 7
NOTE = f"""Before is a broker on an `asyncio.Queue`. A round is {MESSAGES:,} tasks that do nothing, in one process, by
`run_receiver_task` as it is (100 tasks at once). *Prepared* ones were all kicked before; otherwise they are kicked
while the receiver works, by one task of the same loop. The last line has jobcore in a SQLite file, durable to a loss of
power, against the queue that keeps nothing."""


class QueueBroker(AsyncBroker):
    """As that of taskiq's own tests."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def kick(self, message: BrokerMessage) -> None:
        await self._queue.put(message.message)

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        while True:
            yield AckableMessage(data=await self._queue.get(), ack=self._queue.task_done)


async def drain(broker: AsyncBroker, *, prepared: bool) -> float:
    """Tasks in a second."""
    done = asyncio.Event()
    carried_out = 0

    @broker.task("nothing")
    async def nothing(number: int) -> None:  # noqa: ARG001
        nonlocal carried_out
        carried_out += 1
        if carried_out == MESSAGES:
            done.set()

    async def kick_all() -> None:
        for number in range(MESSAGES):
            await nothing.kiq(number)

    if prepared:
        await kick_all()
    begin = perf_counter()
    receiver = asyncio.create_task(run_receiver_task(broker))
    if not prepared:
        await kick_all()
    await done.wait()
    took = perf_counter() - begin
    receiver.cancel()
    await asyncio.wait([receiver])
    await broker.shutdown()
    return MESSAGES / took


def way(make: Callable[[], AsyncBroker], *, prepared: bool) -> Callable[[], float]:
    return lambda: asyncio.run(drain(make(), prepared=prepared))


def main() -> None:
    logging.getLogger("taskiq").setLevel(logging.ERROR)

    def memory() -> AsyncBroker:
        return JobcoreBroker("memory://")

    with tempfile.TemporaryDirectory() as folder:

        def sqlite() -> AsyncBroker:
            return JobcoreBroker(f"sqlite:///{folder}/jobs.db")

        found = [
            compare(
                title,
                "tasks/s",
                way(QueueBroker, prepared=prepared),
                way(ours, prepared=prepared),
                rounds=ROUNDS,
            )
            for title, ours, prepared in (
                ("in memory, prepared", memory, True),
                ("in memory, kicked meanwhile", memory, False),
                ("SQLite, prepared", sqlite, True),
            )
        ]
    write_page("taskiq", "taskiq on jobcore", ["taskiq"], found, NOTE)


if __name__ == "__main__":
    main()
