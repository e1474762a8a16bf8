"""dramatiq's tests of actors, workers, retries, pipelines and results, with ours in memory in place of `StubBroker`.

Its source distribution has the tests, but not what they share; `lacking` has that. Left out are the modules that ask
for servers, or for nothing of a broker.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from dramatiq.brokers import stub

from jobcore.contrib.dramatiq import JobcoreBroker
from tests.peers.counting import counted
from tests.peers.suite import Suite

if TYPE_CHECKING:
    from dramatiq import MessageProxy

    from jobcore.contrib._messages.messages import Delivery
    from jobcore.contrib.dramatiq._consumer import JobcoreConsumer

MODULES = (
    *("actors", "callbacks", "composition", "encoders", "generic_actors"),
    *("messages", "results", "stub_broker", "worker"),
)
SUITE = Suite(
    name="dramatiq, memory",
    requirement="dramatiq==2.2.1",
    sdist=True,
    lacking={
        "tests/__init__.py": None,
        "tests/common.py": "dramatiq_common.py",
        "tests/conftest.py": "dramatiq_conftest.py",
    },
    tests=[f"tests/test_{module}.py" for module in MODULES],
    arguments=["-o", "addopts="],  # its own count coverage
)


class Queue:
    """What the tests ask of a queue of a `StubBroker`."""

    def __init__(self, broker: JobcoreBroker, name: str) -> None:
        self._messages = broker._messages
        self._name = name

    def put(self, data: bytes) -> None:
        self._messages.put([self._name], data, 0)

    def get(self, timeout: float) -> bytes:
        delivery: Delivery[bytes] | None = self._messages.wait(self._name, self._first, timeout)
        assert delivery is not None
        return delivery.payload

    def _first(self) -> Delivery[bytes] | None:
        return next(iter(self._messages.get(self._name, 1)), None)

    def qsize(self) -> int:
        return self._messages.size(self._name)

    @property
    def unfinished_tasks(self) -> bool:
        return not self._messages.join(self._name, 0)


@counted
class Broker(JobcoreBroker):
    """Ours, with what a `StubBroker` has for tests: its queues, the dead, and `fail_fast`."""

    def __init__(self, middleware: Any = None, *, fail_fast_default: bool = True) -> None:
        super().__init__(self._place(), middleware=middleware)
        self.fail_fast_default = fail_fast_default
        self.dead_letters_by_queue: defaultdict[str, list[MessageProxy]] = defaultdict(list)

    def _place(self) -> str:
        return "memory://"

    @property
    def dead_letters(self) -> list[MessageProxy]:
        return [message for messages in self.dead_letters_by_queue.values() for message in messages]

    def declare_queue(self, queue_name: str) -> None:
        super().declare_queue(queue_name)
        queues: dict[str, Any] = self.queues
        queues.update({name: Queue(self, name) for name in queues})

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 100) -> JobcoreConsumer:
        consumer: Any = super().consume(queue_name, prefetch, timeout)
        nack = consumer.nack

        def note(message: Any) -> None:
            message.clear_exception = partial(stub._StubMessageProxy.clear_exception, message)  # which keeps it
            self.dead_letters_by_queue[queue_name].append(message)
            nack(message)

        consumer.nack = note
        return consumer  # type: ignore[no-any-return]

    def flush_all(self) -> None:
        super().flush_all()
        for messages in self.dead_letters_by_queue.values():
            messages.clear()

    def join(self, queue_name: str, *, timeout: int | None = None, fail_fast: bool | None = None) -> None:
        super().join(queue_name, timeout=timeout)
        if self.fail_fast_default if fail_fast is None else fail_fast:
            for message in self.dead_letters_by_queue[queue_name]:
                raise message._exception or RuntimeError("dead, and nobody knows why")


def inject() -> None:
    vars(stub)["StubBroker"] = Broker
