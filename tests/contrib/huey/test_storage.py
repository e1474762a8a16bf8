"""What huey can count on, whichever place its tasks are kept in."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import InvalidJob, InvalidURL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytest.importorskip("huey", reason="in the group `contrib`")

from huey.constants import EmptyData

from jobcore.contrib.huey import JobcoreStorage

NOON = datetime(2026, 11, 26, 12)  # noqa: DTZ001  (huey's times are naive)
PATIENCE = 30.0


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def storage(url: str) -> Iterator[JobcoreStorage]:
    made = JobcoreStorage(url=url, read_timeout=PATIENCE)
    yield made
    made.close()


def in_threads(*works: Callable[[], Any]) -> list[Any]:
    """What each of these returns, all at once."""
    results: list[Any] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def run(place: int) -> None:
        gate.wait()
        results[place] = works[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return results


def await_waiter(storage: JobcoreStorage, number: int = 1) -> None:
    """Return when so many wait."""
    waiters = storage._store.waiters
    while sum(len(line) for line in waiters._lines.values()) < number:
        threading.Event().wait(0.001)


def test_higher_priorities_leave_first_and_equals_in_their_order(storage: JobcoreStorage) -> None:
    for data, priority in [(b"a", None), (b"b", 5), (b"c", -1), (b"d", 0), (b"e", 5), (b"f", 2.0)]:
        storage.enqueue(data, priority)

    assert [b"b", b"e", b"f", b"a", b"d", b"c"] == storage.enqueued_items()
    assert [b"b", b"e"] == storage.enqueued_items(2)
    assert [b"b", b"e", b"f", b"a", b"d", b"c"] == [storage.dequeue() for _ in range(6)]
    assert 0 == storage.queue_size()


@pytest.mark.parametrize("priority", [0.5, 32768, -32769])
def test_a_priority_that_is_no_whole_number_of_16_bits_is_refused(storage: JobcoreStorage, priority: float) -> None:
    with pytest.raises(InvalidJob, match="priority"):
        storage.enqueue(b"a", priority)
    assert 0 == storage.queue_size()


def test_an_enqueue_ends_the_wait_of_a_dequeue(storage: JobcoreStorage) -> None:
    def bring() -> None:
        await_waiter(storage)
        storage.enqueue(b"a")

    assert [b"a", None] == in_threads(storage.dequeue, bring)


def test_a_dequeue_without_a_task_ends_with_its_timeout(url: str) -> None:
    storage = JobcoreStorage(url=url, read_timeout=0.001)
    assert storage.dequeue() is None
    storage.close()


def test_a_storage_that_does_not_block_says_so_and_does_not(url: str) -> None:
    storage = JobcoreStorage(url=url, blocking=False, read_timeout=PATIENCE)
    assert (False, None) == (storage.blocking, storage.dequeue())
    storage.close()


def test_every_task_is_taken_once(storage: JobcoreStorage) -> None:
    number, producers, consumers = 50, 4, 4

    def produce(producer: int) -> None:
        for task in range(number):
            storage.enqueue(b"%d-%d" % (producer, task))

    def consume() -> list[bytes | None]:
        return [storage.dequeue() for _ in range(number * producers // consumers)]

    works: list[Callable[[], Any]] = [partial(produce, producer) for producer in range(producers)]
    taken = in_threads(*works, *[consume] * consumers)[producers:]

    every = Counter(data for some in taken for data in some)
    assert every == Counter(b"%d-%d" % (producer, task) for producer in range(producers) for task in range(number))


def test_the_schedule_gives_what_is_due_the_soonest_first(storage: JobcoreStorage) -> None:
    second = timedelta(seconds=1)
    for data, ts in [(b"c", NOON + second), (b"b", NOON), (b"d", NOON + second), (b"a", NOON - second)]:
        storage.add_to_schedule(data, ts)

    assert [b"a", b"b", b"c", b"d"] == storage.scheduled_items()
    assert [b"a"] == storage.scheduled_items(1)
    assert [b"a", b"b"] == storage.read_schedule(NOON)
    assert [] == storage.read_schedule(NOON)
    assert 2 == storage.schedule_size()
    assert [b"c", b"d"] == storage.read_schedule((NOON + second).replace(tzinfo=UTC))


def test_what_is_scheduled_is_not_in_the_queue(storage: JobcoreStorage) -> None:
    storage.add_to_schedule(b"a", NOON)
    storage.enqueue(b"b")
    storage.flush_queue()

    assert (0, 1) == (storage.queue_size(), storage.schedule_size())
    storage.flush_schedule()
    assert 0 == storage.schedule_size()


def test_one_of_many_puts_if_empty(storage: JobcoreStorage) -> None:
    won = in_threads(*[lambda: [storage.put_if_empty(f"key-{number}", b"") for number in range(20)]] * 6)
    assert [1] * 20 == [sum(wins) for wins in zip(*won, strict=True)]


def test_a_key_is_free_again_after_its_ttl(storage: JobcoreStorage) -> None:
    assert storage.put_if_empty("lock", b"1", ttl=0)
    assert not storage.has_data_for_key("lock")
    assert storage.peek_data("lock") is EmptyData
    assert storage.pop_data("lock") is EmptyData
    assert {} == storage.result_items()
    assert storage.put_if_empty("lock", b"2", ttl=1_000)
    assert not storage.put_if_empty("lock", b"3", ttl=1_000)
    assert b"2" == storage.pop_data("lock")


def test_a_value_that_is_put_stays_whatever_ttl_there_was(storage: JobcoreStorage) -> None:
    storage.put_if_empty("key", b"1", ttl=0)
    storage.put_data("key", b"2")
    assert b"2" == storage.peek_data("key")


def test_text_and_bytes_are_different_keys(storage: JobcoreStorage) -> None:
    storage.put_data("key", b"1")
    storage.put_data(b"key", b"2")

    assert {"key": b"1", b"key": b"2"} == storage.result_items()
    assert {"key": b"1"} == storage.peek_many(["key", "other"])
    assert (True, False) == (storage.delete_data("key"), storage.delete_data("key"))
    assert 1 == storage.result_store_size()


def test_a_result_wakes_all_who_wait_for_it_and_nobody_else(storage: JobcoreStorage) -> None:
    def bring() -> bool:
        await_waiter(storage, 4)
        storage.put_data("result", b"1", is_result=True)
        return storage.wait_result("result", PATIENCE)

    waits: list[Callable[[], Any]] = [lambda: storage.wait_result("result", PATIENCE)] * 3
    waited = in_threads(*waits, bring, lambda: storage.wait_result("other", 0.2))
    assert [True] * 4 + [False] == waited


def test_counters_lose_nothing(storage: JobcoreStorage) -> None:
    in_threads(*[lambda: [storage.incr("count", 2) for _ in range(25)]] * 4)

    assert 200 == storage.incr("count", 0)
    storage.delete_counter("count")
    assert 1 == storage.incr("count")
    storage.flush_all()
    assert -3 == storage.incr("count", -3)


@pytest.mark.parametrize(
    "url", ["postgresql://localhost/jobs", "sqlite://jobs.db", "sqlite:///jobs.db?fsync=no", "redis://", "jobs.db"]
)
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        JobcoreStorage(url=url)
