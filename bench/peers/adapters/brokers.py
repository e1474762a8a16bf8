"""In memory: taskiq, dramatiq and celery, on the brokers that they have for tests, having no others of this kind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench.peers.adapter import Adapter
from bench.resident import resident_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable


class TaskiqInMemory(Adapter):
    title = "taskiq, InMemoryBroker"
    note = (
        "a pushed job is a task of the loop at once: there is no queue to fill or to drain, and nothing to acknowledge"
    )
    imports = "from taskiq import InMemoryBroker"
    distributions = ("taskiq",)
    against = "jobcore-memory"
    jobs = 20_000
    leaves_out = ("enqueue", "enqueue-64", "drain", "drain-1ms", "size")

    async def open(self) -> None:
        from taskiq import InMemoryBroker

        async def job(number: int, sent: int) -> None:  # noqa: ARG001
            self.probe.begin(sent)

        self.broker = InMemoryBroker()
        self.task = self.broker.register_task(job, task_name="job")
        await self.broker.startup()

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        sending: Awaitable[Any] = self.task.kiq(number, sent)
        return sending

    async def work(self) -> None:
        """There is nothing to start."""


class DramatiqStub(Adapter):
    title = "dramatiq, StubBroker"
    note = "8 threads (its default; 64 for the millisecond); for tests, by its documentation"
    imports = "import dramatiq"
    distributions = ("dramatiq",)
    against = "jobcore-memory"
    jobs = 15_000
    at_once = 8

    async def open(self) -> None:
        import dramatiq
        from dramatiq.brokers.stub import StubBroker

        def job(number: int, sent: int) -> None:  # noqa: ARG001
            self.handle_in_thread(sent)

        self.broker = StubBroker()
        dramatiq.set_broker(self.broker)
        self.actor = dramatiq.actor(broker=self.broker)(job)

    def enqueue(self, number: int, sent: int) -> None:
        self.actor.send(number, sent)

    async def work(self) -> None:
        import dramatiq

        worker = dramatiq.Worker(self.broker, worker_threads=self.concurrency)
        worker.start()

    async def unfinished(self) -> int:
        return int(self.broker.queues["default"].unfinished_tasks)

    async def size(self) -> int:
        return resident_memory()


class CeleryInMemory(Adapter):
    title = "celery, memory://"
    note = "acks_late, no results, 10 threads (64 for the millisecond); for tests, by its documentation"
    imports = "from celery import Celery"
    distributions = ("celery", "kombu")
    against = "jobcore-memory"
    jobs = 1_500
    at_once = 10

    async def open(self) -> None:
        from celery import Celery

        def job(number: int, sent: int) -> None:  # noqa: ARG001
            self.handle_in_thread(sent)

        self.app: Any = Celery("bench", broker="memory://", set_as_current=False)
        self.app.conf.update(
            task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=100, worker_send_task_events=False,
            worker_hijack_root_logger=False, broker_connection_retry_on_startup=False,
            broker_transport_options={"polling_interval": 0.01},
        )  # fmt: skip
        self.task = self.app.task(job, name="job")
        self.app.finalize()

    def enqueue(self, number: int, sent: int) -> None:
        self.task.apply_async((number, sent))

    async def work(self) -> None:
        from celery.contrib.testing.worker import start_worker

        self.working = start_worker(
            self.app, concurrency=self.concurrency, pool="threads", loglevel="ERROR", perform_ping_check=False
        )
        await asyncio.to_thread(self.working.__enter__)

    async def unfinished(self) -> int:
        from kombu.transport.memory import Channel

        # What was taken and is not acknowledged it does not tell.
        return sum(queue.qsize() for queue in Channel.queues.values())

    async def size(self) -> int:
        return resident_memory()
