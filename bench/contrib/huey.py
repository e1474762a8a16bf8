"""huey on `JobcoreStorage` against huey on its own storages: `python -m bench.contrib.huey`.

In memory, and in files at the same durability: WAL and `synchronous=full`, each commit synced.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from huey import Huey
from huey.storage import MemoryStorage, SqliteStorage

from bench.contrib.comparing import compare, write_page
from jobcore.contrib.huey import JobcoreStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Make: TypeAlias = Callable[[], Any]

DATA = b"x" * 200
NUMBERS = count()


class Place:
    """Storages in a folder, each in a file of its own."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def theirs(self) -> Any:
        return SqliteStorage(filename=f"{self.folder}/{next(NUMBERS)}.db", fsync=True)

    def ours(self) -> Any:
        return JobcoreStorage(url=f"sqlite:///{self.folder}/{next(NUMBERS)}.db")


def pairs(make: Make, number: int, ahead: int = 0) -> Callable[[], float]:
    """Nanoseconds for an enqueue and a dequeue, with so many tasks in the queue."""

    def run() -> float:
        storage = make()
        for _ in range(ahead + 1):
            storage.enqueue(DATA, 1)
        begin = time.perf_counter()
        for _ in range(number):
            storage.enqueue(DATA, 1)
            storage.dequeue()
        taken = time.perf_counter() - begin
        storage.close()
        return taken / number * 1e9

    return run


def threaded(make: Make, act: Callable[[Any], None], threads: int, number: int) -> Callable[[], float]:
    """Acts in a second, of so many threads together."""

    def run() -> float:
        storage = make()
        storage.enqueue(DATA)
        storage.dequeue()
        gate = threading.Barrier(threads + 1)

        def work() -> None:
            gate.wait()
            for _ in range(number // threads):
                act(storage)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        gate.wait()
        begin = time.perf_counter()
        for worker in workers:
            worker.join()
        taken = time.perf_counter() - begin
        storage.close()
        return number / taken

    return run


def enqueue(storage: Any) -> None:
    storage.enqueue(DATA)


def there_and_back(storage: Any) -> None:
    storage.enqueue(DATA)
    storage.dequeue()


class App:
    """A huey with a consumer in this process."""

    def __init__(self, make: Make, workers: int) -> None:
        self.huey = Huey(results=False, storage_class=lambda _: make())
        self.consumer = self.huey.create_consumer(workers=workers, periodic=False, check_worker_health=False)

    def start(self) -> None:
        # Not `Consumer.start`, which takes the signals of the process.
        for _, thread in self.consumer.worker_threads:
            thread.start()

    def stop(self) -> None:
        self.consumer.stop_flag.set()
        for _, thread in self.consumer.worker_threads:
            thread.join()
        self.huey.storage.close()


def end_to_end(make: Make, workers: int, number: int) -> Callable[[], float]:
    """Tasks in a second, from the first to the last, of a consumer that finds them all in the queue."""

    def run() -> float:
        app = App(make, workers)
        done = threading.Event()
        runs = count(1)  # nobody waits for a task in between: a thread that wakes at each would be part of the figure

        def job() -> None:
            if next(runs) == number:
                done.set()

        task = app.huey.task()(job)
        for _ in range(number):
            task()
        begin = time.perf_counter()
        app.start()
        done.wait()
        taken = time.perf_counter() - begin
        app.stop()
        return number / taken

    return run


def pickup(make: Make, number: int) -> Callable[[], float]:
    """Milliseconds from before the enqueue until the task runs, on a consumer that rests; the median."""

    def run() -> float:
        app = App(make, 1)
        arrived: list[float] = []
        done = threading.Semaphore(0)

        def job() -> None:
            arrived.append(time.perf_counter())
            done.release()

        task = app.huey.task()(job)
        app.start()
        taken: list[float] = []
        for turn in range(number):
            time.sleep(0.02 + 0.01 * (turn % 10))
            begin = time.perf_counter()
            task()
            done.acquire()
            taken.append(arrived[-1] - begin)
        app.stop()
        return median(taken) * 1000

    return run


def main() -> None:
    memory, ours = MemoryStorage, JobcoreStorage
    folder = tempfile.mkdtemp(prefix="bench-huey-", dir=Path("build").resolve())
    place = Place(folder)
    less: Any = {"more_is_better": False}
    found = [
        compare("in memory: enqueue + dequeue", "ns", pairs(memory, 20_000), pairs(ours, 20_000), **less),
        compare(
            "the same, 100,000 in the queue", "ns",
            pairs(memory, 20_000, 100_000), pairs(ours, 20_000, 100_000), rounds=5, **less,
        ),
        compare("consumer, 1 worker", "tasks/s", end_to_end(memory, 1, 10_000), end_to_end(ours, 1, 10_000)),
        compare("consumer, 10 workers", "tasks/s", end_to_end(memory, 10, 50_000), end_to_end(ours, 10, 50_000)),
        compare("pickup by a consumer that rests", "ms", pickup(memory, 20), pickup(ours, 20), rounds=3, **less),
    ]  # fmt: skip
    there, here = place.theirs, place.ours
    found += [
        compare(
            "in SQLite: enqueue, 1 thread", "1/s", threaded(there, enqueue, 1, 1_000), threaded(here, enqueue, 1, 1_000)
        ),
        compare("enqueue, 10 threads", "1/s", threaded(there, enqueue, 10, 2_000), threaded(here, enqueue, 10, 2_000)),
        compare(
            "enqueue + dequeue, 1 thread", "pairs/s",
            threaded(there, there_and_back, 1, 500), threaded(here, there_and_back, 1, 500),
        ),
        compare(
            "enqueue + dequeue, 10 threads", "pairs/s",
            threaded(there, there_and_back, 10, 1_000), threaded(here, there_and_back, 10, 1_000),
        ),
        compare("consumer, 1 worker", "tasks/s", end_to_end(there, 1, 500), end_to_end(here, 1, 500)),
        compare("consumer, 10 workers", "tasks/s", end_to_end(there, 10, 1_000), end_to_end(here, 10, 1_000)),
        compare("pickup by a consumer that rests", "ms", pickup(there, 20), pickup(here, 20), rounds=3, **less),
    ]  # fmt: skip
    shutil.rmtree(folder)
    write_page("huey", "huey on jobcore, before and after", ["huey"], found)


if __name__ == "__main__":
    main()
