"""dramatiq on `JobcoreBroker` against dramatiq on its `StubBroker`: `python -m bench.contrib.dramatiq`.

dramatiq has no broker without a server but the one for tests, in memory. So the lines over a file compare with that,
too: they tell what durability costs.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from contextlib import contextmanager
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any

import dramatiq
from dramatiq.brokers.stub import StubBroker

from bench.contrib.comparing import compare, write_page
from jobcore.contrib.dramatiq import JobcoreBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Make: TypeAlias = Callable[[], Any]

THREADS = 8  # dramatiq's default
NUMBERS = count()


@contextmanager
def opened(make: Make) -> Iterator[Any]:
    broker = make()
    dramatiq.set_broker(broker)
    yield broker
    broker.flush_all()
    broker.close()


@contextmanager
def working(broker: Any) -> Iterator[None]:
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    yield
    worker.stop()


def do_nothing(_: int) -> None:
    pass


def enqueueing(make: Make, number: int, threads: int = 1) -> Callable[[], float]:
    def way() -> float:
        with opened(make):
            add = dramatiq.actor(do_nothing)

            def send() -> None:
                for value in range(number // threads):
                    add.send(value)

            senders = [threading.Thread(target=send) for _ in range(threads)]
            start = time.perf_counter()
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            return number / (time.perf_counter() - start)

    return way


def carrying_out(make: Make, number: int) -> Callable[[], float]:
    def way() -> float:
        with opened(make) as broker:
            add = dramatiq.actor(do_nothing)
            for value in range(number):
                add.send(value)
            start = time.perf_counter()
            with working(broker):
                broker.join("default", timeout=100_000)
                return number / (time.perf_counter() - start)

    return way


def lateness(make: Make, number: int, delay: int | None) -> Callable[[], float]:
    """Milliseconds from when a message could be carried out to when it is, by a worker at rest."""

    def way() -> float:
        with opened(make) as broker:
            came = threading.Semaphore(0)
            times: list[float] = []

            @dramatiq.actor
            def note() -> None:
                times.append(time.time())
                came.release()

            taken: list[float] = []
            with working(broker):
                for turn in range(number):
                    time.sleep(0.3 + 0.11 * turn)  # so that the worker is at rest, each time elsewhere in its own
                    called = time.time()
                    sent = note.send_with_options(delay=delay)
                    came.acquire(timeout=10)
                    taken.append(1000 * times[-1] - sent.options.get("eta", 1000 * called))
            return median(taken)

    return way


def main() -> None:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:

        def file(options: str = "") -> Make:
            return lambda: JobcoreBroker(f"sqlite:///{folder}/{next(NUMBERS)}.db{options}")

        messages = "messages a second"
        normal = "?synchronous=normal"
        timed: dict[str, Any] = {"rounds": 3, "more_is_better": False}
        write_page(
            "dramatiq",
            "dramatiq: its StubBroker, and ours",
            ["dramatiq"],
            [
                compare("enqueue, memory", messages, enqueueing(StubBroker, 3000), enqueueing(JobcoreBroker, 3000)),
                compare(
                    "carry out, memory", messages, carrying_out(StubBroker, 3000), carrying_out(JobcoreBroker, 3000)
                ),
                compare(
                    "pickup, memory", "ms", lateness(StubBroker, 5, None), lateness(JobcoreBroker, 5, None), **timed
                ),
                compare(
                    "delayed, memory", "ms", lateness(StubBroker, 5, 500), lateness(JobcoreBroker, 5, 500), **timed
                ),
                compare("enqueue, SQLite", messages, enqueueing(StubBroker, 3000), enqueueing(file(), 500), rounds=5),
                compare(
                    "enqueue in 8 threads, SQLite",
                    messages,
                    enqueueing(StubBroker, 3000, 8),
                    enqueueing(file(), 800, 8),
                    rounds=5,
                ),
                compare(
                    "carry out, SQLite", messages, carrying_out(StubBroker, 3000), carrying_out(file(), 1000), rounds=5
                ),
                compare(
                    "enqueue, SQLite, not synced",
                    messages,
                    enqueueing(StubBroker, 3000),
                    enqueueing(file(normal), 1000),
                    rounds=5,
                ),
                compare(
                    "carry out, SQLite, not synced",
                    messages,
                    carrying_out(StubBroker, 3000),
                    carrying_out(file(normal), 1000),
                    rounds=5,
                ),
                compare("pickup, SQLite", "ms", lateness(StubBroker, 5, None), lateness(file(), 5, None), **timed),
                compare("delayed, SQLite", "ms", lateness(StubBroker, 5, 500), lateness(file(), 5, 500), **timed),
            ],
            "Before: `StubBroker`, in memory, on every line; nothing outlasts it. SQLite: ours in a file, each message"
            " synced as it is enqueued; not synced: with `synchronous=normal`, which a killed process cannot harm."
            " Carry out: a worker of 8 threads and an actor that does nothing, until `join` returns. Pickup: from the"
            " call to the actor, in a worker at rest. Delayed: how much later than asked a message with a delay of"
            " 500 ms is carried out.",
        )


if __name__ == "__main__":
    main()
