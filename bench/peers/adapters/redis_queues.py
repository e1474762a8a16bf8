"""arq, streaq, taskiq and rq, on a Valkey that keeps nothing on a disk. Results are not kept either."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from bench.peers.adapter import Adapter, Jobs
from bench.peers.adapters.valkeys import used_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable


class OnRedis(Adapter):
    against = "jobcore-postgres"

    async def size(self) -> int:
        return used_memory(self.place)


class Arq(OnRedis):
    title = "arq"
    note = "1000 jobs at once, polls every 10 ms (its default: 0.5 s); jobs are lost with the server"
    imports = "import arq"
    distributions = ("arq", "redis", "hiredis")
    environment = "peers-arq"
    jobs = 1_500
    at_once = 1000

    async def open(self) -> None:
        from arq import create_pool
        from arq.connections import RedisSettings

        self.pool = await create_pool(RedisSettings.from_dsn(self.place))

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        pushing: Awaitable[Any] = self.pool.enqueue_job("job", number=number, sent=sent)
        return pushing

    async def work(self) -> None:
        from arq import Worker, func
        from arq.connections import RedisSettings

        async def job(_: Any, *, number: int, sent: int) -> None:  # noqa: ARG001
            await self.handle(sent)

        worker = Worker(
            functions=[func(job, name="job", keep_result=0)], redis_settings=RedisSettings.from_dsn(self.place),
            max_jobs=self.concurrency, poll_delay=0.01, handle_signals=False, max_tries=3,
        )  # fmt: skip
        self.working = asyncio.create_task(worker.async_run())

    async def unfinished(self) -> int:
        return int(await self.pool.zcard("arq:queue"))


class Streaq(OnRedis):
    title = "streaq"
    note = "50 jobs at once, uvloop, results not kept; jobs are lost with the server"
    imports = "from streaq import Worker"
    distributions = ("streaq", "coredis")
    loop = "uvloop"
    jobs = 1_000
    at_once = 50

    def make(self) -> tuple[Any, Any]:
        from streaq import Worker

        async def job(number: int, sent: int) -> None:  # noqa: ARG001
            await self.handle(sent)

        worker: Any = Worker(redis_url=self.place, concurrency=self.concurrency, handle_signals=False)
        return worker, worker.task(ttl=0, name="job")(job)

    async def open(self) -> None:
        self.app, self.task = self.make()
        await self.app.__aenter__()

    async def enqueue(self, number: int, sent: int) -> None:
        await self.task.enqueue(number, sent)

    def enqueue_many(self, jobs: Jobs) -> Awaitable[Any]:
        sending: Awaitable[Any] = self.app.enqueue_many([self.task.enqueue(*job) for job in jobs])
        return sending

    async def work(self) -> None:
        worker, _ = self.make()
        self.working = asyncio.create_task(worker.run_async())

    async def unfinished(self) -> int:
        return int(await self.app.queue_size())


class Taskiq(OnRedis):
    title = "taskiq, RedisStreamBroker"
    note = "100 jobs at once (its default), acknowledged when executed, results not kept; jobs are lost with the server"
    imports = "from taskiq_redis import RedisStreamBroker"
    distributions = ("taskiq", "taskiq-redis", "redis", "hiredis")
    loop = "uvloop"
    jobs = 3_000

    async def open(self) -> None:
        from taskiq_redis import RedisStreamBroker

        async def job(number: int, sent: int) -> None:  # noqa: ARG001
            await self.handle(sent)

        self.broker: Any = RedisStreamBroker(self.place, approximate=False)
        self.task = self.broker.register_task(job, task_name="job")
        await self.broker.startup()

    def enqueue(self, number: int, sent: int) -> Awaitable[Any]:
        sending: Awaitable[Any] = self.task.kiq(number, sent)
        return sending

    async def work(self) -> None:
        from taskiq.api import run_receiver_task

        self.working = asyncio.create_task(run_receiver_task(self.broker, max_async_tasks=self.concurrency))

    async def unfinished(self) -> int:
        import redis.asyncio

        async with redis.asyncio.Redis(connection_pool=self.broker.connection_pool) as client:
            (group,) = await client.xinfo_groups("taskiq")
        return int(group["pending"] + (group["lag"] or 0))


class Rq(OnRedis):
    title = "rq, SimpleWorker"
    note = "no fork for each job, one at a time, results not kept; jobs are lost with the server"
    imports = "from rq import Queue, SimpleWorker"
    distributions = ("rq", "redis", "hiredis")
    jobs = 300
    at_once = 1

    async def open(self) -> None:
        import redis
        import rq

        global rq_adapter  # noqa: PLW0603  (a job is found by the name of its module)
        rq_adapter = self
        self.local = threading.local()
        self.connection = redis.Redis.from_url(self.place)
        self.queue = rq.Queue(connection=self.connection)
        self.name = f"{__name__}.rq_job"

    def enqueue(self, number: int, sent: int) -> None:
        self.queue.enqueue(self.name, number, sent, result_ttl=0)

    def enqueue_many(self, jobs: Jobs) -> None:
        import rq

        self.queue.enqueue_many([rq.Queue.prepare_data(self.name, args=job, result_ttl=0) for job in jobs])

    async def work(self) -> None:
        import redis
        import rq
        from rq.timeouts import TimerDeathPenalty

        class Worker(rq.SimpleWorker):
            death_penalty_class = TimerDeathPenalty

            def _install_signal_handlers(self) -> None:
                """Signals are for the main thread."""

        connection = redis.Redis.from_url(self.place)
        worker: Any = Worker([rq.Queue(connection=connection)], connection=connection)
        thread = threading.Thread(target=worker.work, kwargs={"logging_level": "ERROR"}, daemon=True)
        thread.start()

    async def unfinished(self) -> int:
        return int(self.queue.count + self.queue.started_job_registry.count)


rq_adapter: Rq


def rq_job(number: int, sent: int) -> None:  # noqa: ARG001
    rq_adapter.handle_in_thread(sent)
