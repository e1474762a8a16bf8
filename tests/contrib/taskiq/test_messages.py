"""What is kicked is delivered: once, in its order, in its queue, when it is due, and gone when it is acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("taskiq", reason="taskiq is in the group `contrib`, where this Python has its wheels")

from taskiq import Context, TaskiqDepends
from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq.brokers.inmemory_broker import InmemoryResultBackend
from taskiq.exceptions import SendTaskError

from jobcore import MemoryStorage, NewJobInfo, StorageUnavailable
from jobcore.contrib.taskiq import JobcoreBroker
from tests.contrib.taskiq.delivering import PATIENCE, message, stats_of, taken, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from jobcore import JobInfo
    from jobcore.storage import BatchStorage


@contextlib.asynccontextmanager
async def receiving(broker: JobcoreBroker, **options: Any) -> AsyncIterator[None]:
    receiver = asyncio.create_task(run_receiver_task(broker, **options))
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    finally:
        receiver.cancel()
        await asyncio.wait([receiver])


async def until_empty(storage: BatchStorage) -> None:
    """A receiver saves the result first and acknowledges then."""

    async def empty() -> bool:
        return (await stats_of(storage)).jobs == 0

    await until(empty)


@pytest.mark.parametrize("ack_time", [None, *AcknowledgeType])
def test_a_receiver_executes_each_once_and_nothing_is_left(
    storage: BatchStorage, ack_time: AcknowledgeType | None
) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage).with_result_backend(InmemoryResultBackend(-1))
        executed: list[int] = []

        @broker.task
        async def square(number: int, context: Context = TaskiqDepends()) -> int:  # noqa: B008
            executed.append(number)
            if ack_time is AcknowledgeType.MANUAL:
                await context.ack()
            return number * number

        square.original_func.__annotations__["context"] = Context
        async with receiving(broker, ack_time=ack_time, max_async_tasks=5):
            tasks = [await square.kiq(number) for number in range(30)]
            results = [(await task.wait_result(check_interval=0.01)).return_value for task in tasks]
            await until_empty(storage)
        assert [number * number for number in range(30)] == results
        assert list(range(30)) == sorted(executed)
        await broker.shutdown()

    asyncio.run(main())


def test_a_task_may_requeue_itself_while_its_message_is_there(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage).with_result_backend(InmemoryResultBackend())
        runs = 0

        async def again(context: Context = TaskiqDepends()) -> str:  # noqa: B008
            nonlocal runs
            runs += 1
            if runs < 3:
                await context.requeue()
            return "done"

        again.__annotations__["context"] = Context
        task = broker.register_task(again, "again")
        async with receiving(broker):
            result = await (await task.kiq()).wait_result(check_interval=0.01)
            await until_empty(storage)
        assert ("done", 3) == (result.return_value, runs)
        await broker.shutdown()

    asyncio.run(main())


def test_higher_priorities_go_first_and_equals_in_their_order(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage)
        for text, priority in ((b"1", None), (b"2", "5"), (b"3", 9), (b"4", 5), (b"5", -1)):
            await broker.kick(message(text, **({} if priority is None else {"priority": priority})))
        messages = broker.listen()
        assert [b"3", b"2", b"4", b"1", b"5"] == await taken(messages, 5)
        await messages.aclose()
        await broker.shutdown()

    asyncio.run(main())


@pytest.mark.parametrize("delay", [0.3, "0.3"], ids=["number", "text"])
def test_a_delayed_message_comes_after_its_delay(storage: BatchStorage, delay: float | str) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage)
        await broker.kick(message(b"later", delay=delay, priority=9))
        await broker.kick(message(b"now"))
        messages = broker.listen()
        assert [b"now", b"later"] == await taken(messages, 2)
        await messages.aclose()
        await broker.shutdown()

    asyncio.run(main())


def test_a_label_names_another_queue(storage: BatchStorage) -> None:
    async def main() -> None:
        broker, other = JobcoreBroker(storage), JobcoreBroker(storage, queue_name="other")
        await broker.kick(message(b"there", queue_name="other"))
        await broker.kick(message(b"here"))
        for one, text in ((broker, b"here"), (other, b"there")):
            messages = one.listen()
            assert [text] == await taken(messages, 1)
            await messages.aclose()
            await one.shutdown()

    asyncio.run(main())


@pytest.mark.parametrize(
    "text",
    [b"", b'{"a": "\\u0000"}', "\N{SNOWMAN}".encode(), b"\xff\x00\x80", bytes(range(256))],
    ids=["empty", "JSON", "UTF-8", "binary", "every byte"],
)
def test_the_bytes_are_those_that_were_kicked(storage: BatchStorage, text: bytes) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage)
        await broker.kick(message(text))
        messages = broker.listen()
        assert [text] == await taken(messages, 1)
        await messages.aclose()
        await broker.shutdown()

    asyncio.run(main())


def test_a_job_that_was_pushed_by_something_else_is_a_message_in_json(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage)
        await storage.push(NewJobInfo("task", {"task_name": "task"}, queue="taskiq"))
        messages = broker.listen()
        assert [b'{"task_name":"task"}'] == await taken(messages, 1)
        await messages.aclose()
        await broker.shutdown()

    asyncio.run(main())


@pytest.mark.parametrize(
    "labels", [{"delay": "soon"}, {"delay": "nan"}, {"priority": "high"}, {"priority": 40_000}, {"queue_name": "\0"}]
)
def test_labels_that_say_nothing_are_refused_at_the_kick(labels: dict[str, Any]) -> None:
    async def main() -> None:
        broker = JobcoreBroker("memory://")

        @broker.task
        async def task() -> None: ...

        with pytest.raises(SendTaskError):
            await task.kicker().with_labels(**labels).kiq()
        assert 0 == (await stats_of(broker.storage)).jobs
        await broker.shutdown()

    asyncio.run(main())


def test_a_storage_that_was_given_stays_open_and_one_that_was_opened_is_closed() -> None:
    async def main() -> None:
        async with MemoryStorage() as storage:
            await JobcoreBroker(storage).shutdown()
            assert 0 == len(storage)
        broker = JobcoreBroker("memory://")
        messages = broker.listen()
        listening = asyncio.create_task(taken(messages, 1))
        await asyncio.sleep(0)
        await broker.shutdown()
        with pytest.raises((StopAsyncIteration, RuntimeError)):
            await listening
        await broker.kick(message(b"anew"))
        assert 1 == (await stats_of(broker.storage)).jobs
        await broker.shutdown()

    asyncio.run(main())


def test_what_is_no_storage_is_refused() -> None:
    with pytest.raises(TypeError, match="int has no info, "):
        JobcoreBroker(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown scheme"):
        _ = JobcoreBroker("redis://localhost").storage


def test_a_wrapper_that_forwards_to_a_storage_is_one() -> None:
    class Wrapper:
        def __getattr__(self, name: str) -> Any:
            return getattr(storage, name)

    storage = MemoryStorage()
    wrapper: Any = Wrapper()
    assert wrapper is JobcoreBroker(wrapper).storage


class Failing(MemoryStorage):
    """Its database is lost for the first pop and the first completion."""

    failures = 0

    async def pop_many(self, queue: str, runner_id: UUID, limit: int) -> list[JobInfo]:
        self._fail_at(0)
        return await super().pop_many(queue, runner_id, limit)

    async def complete(self, returned: Any) -> bool:
        self._fail_at(1)
        return await super().complete(returned)

    def _fail_at(self, number: int) -> None:
        if self.failures == number:
            self.failures += 1
            raise StorageUnavailable("gone")


def test_a_listener_goes_on_when_its_database_is_back() -> None:
    async def main() -> None:
        async with Failing() as storage:
            broker = JobcoreBroker(storage)
            await broker.kick(message(b"text"))
            messages = broker.listen()
            assert [b"text"] == await taken(messages, 1)
            assert (2, 0) == (storage.failures, len(storage))
            await messages.aclose()
            await broker.shutdown()

    asyncio.run(main())


def test_without_taskiq_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['taskiq'] = None; import jobcore.contrib.taskiq"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "NotInstalled: taskiq is not installed, and this needs it: pip install 'jobcore[taskiq]'" in run.stderr
