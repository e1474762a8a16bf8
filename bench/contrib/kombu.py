"""kombu's transports beside ours: publishing, consuming, and how soon a message is there. `make bench-contrib`."""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

from kombu import Connection, Consumer, Queue

import jobcore.contrib.kombu  # noqa: F401
from bench.contrib.comparing import compare, write_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFETCH = 8  # what Celery gives a worker of two processes
NORMAL = {"synchronous": "normal"}

Place = tuple[str, dict[str, Any]]
"""A URL, and options of the transport."""

_numbers = count()


@contextmanager
def opened(url: str, options: dict[str, Any]) -> Iterator[tuple[Connection, Queue]]:
    with Connection(url, transport_options=dict(options)) as connection:
        queue = Queue(f"queue-{next(_numbers)}")
        queue(connection.default_channel).declare()
        yield connection, queue
        queue(connection.default_channel).delete()


def publishing(url: str, options: dict[str, Any], number: int) -> Callable[[], float]:
    def way() -> float:
        with opened(url, options) as (connection, queue):
            producer = connection.Producer()
            start = perf_counter()
            for body in range(number):
                producer.publish(body, routing_key=queue.name)
            return number / (perf_counter() - start)

    return way


def consuming(url: str, options: dict[str, Any], number: int) -> Callable[[], float]:
    def way() -> float:
        with opened(url, options) as (connection, queue):
            producer = connection.Producer()
            for body in range(number):
                producer.publish(body, routing_key=queue.name)
            channel = connection.channel()
            channel.basic_qos(prefetch_count=PREFETCH)
            done = 0

            def work(message: Any) -> None:
                nonlocal done
                message.ack()
                done += 1

            Consumer(channel, [queue], on_message=work).consume()
            start = perf_counter()
            while done < number:
                connection.drain_events(timeout=10)
            rate = number / (perf_counter() - start)
            channel.close()
            return rate

    return way


def pickup(url: str, options: dict[str, Any], number: int) -> Callable[[], float]:
    """Milliseconds from the publish in one thread to the delivery in another, which waits as Celery's worker does."""

    def way() -> float:
        with opened(url, options) as (connection, queue), Connection(url, transport_options=dict(options)) as other:
            channel = other.channel()
            arrived = threading.Semaphore(0)
            times: list[float] = []

            def work(message: Any) -> None:
                message.ack()
                times.append(perf_counter())
                arrived.release()

            Consumer(channel, [queue], on_message=work).consume()

            def consume() -> None:
                while len(times) < number:
                    other.drain_events(timeout=10)

            thread = threading.Thread(target=consume)
            thread.start()
            producer = connection.Producer()
            taken: list[float] = []
            for body in range(number):
                sleep(0.11 * (body + 1))  # so that the consumer is at rest, each time elsewhere in its own
                start = perf_counter()
                producer.publish(body, routing_key=queue.name)
                arrived.acquire(timeout=10)
                taken.append((times[-1] - start) * 1000)
            thread.join()
            channel.close()
            return median(taken)

    return way


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        memory: Place = ("memory://", {})
        mine: Place = ("jobcore+memory://", {})
        table: Place = (f"sqla+sqlite:///{folder}/theirs.db", {})
        file = f"jobcore+sqlite:///{folder}/ours.db"
        names = ("data_folder_in", "data_folder_out", "control_folder")
        files = {name: str(Path(folder) / name.replace("_out", "_in")) for name in names}
        for path in files.values():
            Path(path).mkdir(exist_ok=True)
        loose = ("filesystem://", files)
        messages = "messages a second"
        write_page(
            "kombu",
            "kombu: its transports, and ours",
            ["kombu", "sqlalchemy"],
            [
                compare("publish, memory", messages, publishing(*memory, 3000), publishing(*mine, 3000)),
                compare("consume, memory", messages, consuming(*memory, 3000), consuming(*mine, 3000)),
                compare("pickup, memory", "ms", pickup(*memory, 3), pickup(*mine, 3), rounds=3, more_is_better=False),
                compare("publish, SQLite", messages, publishing(*table, 150), publishing(file, {}, 1000), rounds=5),
                compare("consume, SQLite", messages, consuming(*table, 150), consuming(file, {}, 1000), rounds=5),
                compare(
                    "publish, not synced", messages, publishing(*loose, 300), publishing(file, NORMAL, 2000), rounds=5
                ),
                compare(
                    "consume, not synced", messages, consuming(*loose, 300), consuming(file, NORMAL, 2000), rounds=5
                ),
            ],
            "One thread publishes, or consumes with a prefetch limit of 8 and acknowledges each message. Before, in"
            " memory: `memory://`; SQLite: `sqla+sqlite://`, which syncs each transaction as ours does by default, and"
            " knows no acknowledgement; not synced: `filesystem://`, and ours with `synchronous=normal`, which a killed"
            " process cannot harm. Pickup: from the publish in one thread to the delivery in another that waits.",
        )


if __name__ == "__main__":
    main()
