"""A wrapper that forwards to a storage by `__getattr__`, as those that trace calls do, is a storage on every Python.

From 3.12 on, `isinstance` with a protocol does not see such methods.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import App, MemoryStorage, NewJobInfo, SqliteStorage, Worker
from jobcore.copying import NotMovable, copy
from jobcore.errors import NotAStorage
from jobcore.storage import BatchStorage, Storage, missing_methods, takes_batches
from jobcore.testing import FakeClock, StorageConformance
from jobcore.testing._conformance._base import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SINGLE = ["info", "push", "pop", "heartbeat", "complete"]
BATCHES = ["push_many", "pop_many", "heartbeat_many", "complete_many"]


class Traced:
    """Notes the names of the methods of a storage that are called; those of `without` are not there."""

    def __init__(self, storage: Any, *, without: list[str] | None = None) -> None:
        self._storage = storage
        self._without = without or []
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in self._without:
            raise AttributeError(name)
        method = getattr(self._storage, name)

        def traced(*args: Any, **options: Any) -> Any:
            self.called.append(name)
            return method(*args, **options)

        return traced


class TestOfTheSuite(StorageConformance):
    __test__ = False

    def open_storage(self, clock: FakeClock) -> AbstractAsyncContextManager[Any]:
        return MemoryStorage(clock=clock, timer=clock)


def carried_out_by(traced: Traced) -> list[int]:
    app, seen = App(traced), list[int]()
    gone = asyncio.Event()

    @app.job
    async def note(number: int) -> None:
        seen.append(number)
        if len(seen) == 3:
            gone.set()

    async def scene() -> None:
        async with asyncio.timeout(30), Worker(app):
            await note.push(0)
            await app.push_many([note.new(1), note.new(2)])
            await gone.wait()

    asyncio.run(scene())
    return sorted(seen)


def test_a_worker_uses_the_batches_behind_a_wrapper() -> None:
    traced = Traced(MemoryStorage())

    assert [0, 1, 2] == carried_out_by(traced)
    assert {"push", "push_many", "pop_many", "complete_many"} <= set(traced.called)
    assert not {"pop", "complete"} & set(traced.called)


def test_a_worker_does_without_batches_where_the_wrapper_hides_them() -> None:
    traced = Traced(MemoryStorage(), without=["heartbeat_many"])

    assert [0, 1, 2] == carried_out_by(traced)
    assert {"push", "pop", "complete"} <= set(traced.called)
    assert not set(BATCHES) & set(traced.called)


def test_the_conformance_suite_tests_the_batches_behind_a_wrapper() -> None:
    traced = Traced(MemoryStorage())

    assert traced is Stage(TestOfTheSuite(), traced, FakeClock()).batches


def test_the_conformance_suite_skips_what_a_wrapper_hides() -> None:
    class TestOfLess(TestOfTheSuite):
        __test__ = False

        @asynccontextmanager
        async def open_storage(self, clock: FakeClock) -> AsyncIterator[Traced]:
            async with MemoryStorage(clock=clock, timer=clock) as storage:
                yield Traced(storage, without=[*BATCHES, "stats"])

    suite = TestOfLess()
    with pytest.raises(pytest.skip.Exception, match="takes no batches"):
        suite.test_a_batch_keeps_its_order()
    with pytest.raises(pytest.skip.Exception, match="has no stats"):
        suite.test_counters_count_what_happened()
    suite.test_closing_wakes_every_waiter()


def test_jobs_move_between_wrappers(tmp_path: Path) -> None:
    async def scene() -> None:
        async with SqliteStorage(tmp_path / "a.db") as source, SqliteStorage(tmp_path / "b.db") as target:
            await source.push_many([NewJobInfo("job")] * 3)
            assert 3 == await copy(Traced(source), Traced(target))
            with pytest.raises(NotMovable):
                await copy(Traced(source), Traced(target, without=["release"]))

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        (None, SINGLE),
        ({}, ["info", "push", "heartbeat", "complete"]),  # a dict has a pop
        (Traced(MemoryStorage(), without=["heartbeat"]), ["heartbeat"]),
    ],
)
def test_what_is_no_storage_is_told_which_methods_it_lacks(value: Any, missing: list[str]) -> None:
    for refuses in (App, lambda storage: Stage(TestOfTheSuite(), storage, FakeClock())):
        with pytest.raises(NotAStorage, match=rf": {type(value).__name__} has no {', '.join(missing)}$") as caught:
            refuses(value)
        assert isinstance(caught.value, TypeError)
        assert (value, missing) == (caught.value.value, caught.value.missing)


def test_the_methods_of_a_protocol_are_those_of_its_bases_too() -> None:
    assert missing_methods(object(), Storage) == SINGLE
    assert missing_methods(object(), BatchStorage) == [*SINGLE, *BATCHES]
    assert takes_batches(MemoryStorage())
