"""From a call to a job in the storage: names, options, and what a wrong call gets."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from jobcore import App, InvalidCall, InvalidJob, JobContext, MemoryStorage, StorageClosed

app = App(MemoryStorage())


@app.job
def thumbnail(source: str, width: int = 100, *, sharp: bool = False) -> None: ...


@app.job
async def with_context(ctx: JobContext, number: int) -> None: ...


@app.job
def open_ended(first: int, **rest: int) -> None: ...


def test_arguments_travel_by_name_and_what_is_left_out_stays_out() -> None:
    assert {"source": "cat.png", "width": 640} == thumbnail.new("cat.png", width=640).args
    assert {"source": "cat.png"} == thumbnail.new("cat.png").args
    assert {"source": "cat.png", "width": 1, "sharp": True} == thumbnail.new("cat.png", 1, sharp=True).args
    assert {"number": 1} == with_context.new(1).args
    assert {"first": 1, "second": 2} == open_ended.new(1, second=2).args


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        (("a", 1, True), {}),
        (("a",), {"source": "b"}),
        (("a",), {"height": 1}),
        ((), {"width": 1}),
    ],
)
def test_a_call_that_python_would_refuse_fails_at_the_push(args: Any, kwargs: Any) -> None:
    wrong: Any = thumbnail
    for verb in (wrong.new, wrong.push, wrong.push_nowait):
        with pytest.raises(InvalidCall, match=r"thumbnail\(\) cannot be called so") as caught:
            verb(*args, **kwargs)
        assert isinstance(caught.value, TypeError)


def test_arguments_that_json_cannot_say_fail_at_the_push() -> None:
    wrong: Any = object()
    with pytest.raises(InvalidJob, match="args"):
        thumbnail.new(wrong)


def test_options_belong_to_one_push() -> None:
    own, moment = uuid4(), datetime(2031, 1, 1, tzinfo=UTC)
    new = thumbnail.options(queue="slow", priority=5, id=own, at=moment).new("cat.png")
    assert ("slow", 5, own, moment) == (new.queue, new.priority, new.id, new.next_queue)
    chained = thumbnail.options(queue="slow").options(after=timedelta(minutes=1)).new("cat.png")
    assert ("slow", timedelta(minutes=1)) == (chained.queue, chained.next_queue)
    assert ("default", None) == (thumbnail.new("a").queue, thumbnail.new("a").next_queue)


@pytest.mark.parametrize(
    "options",
    [
        {"after": 5},
        {"at": datetime(2031, 1, 1)},  # noqa: DTZ001
        {"at": 5},
        {"at": datetime(2031, 1, 1, tzinfo=UTC), "after": timedelta(1)},
        {"priority": 1.5},
        {"id": "id"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any) -> None:
    with pytest.raises(InvalidJob):
        thumbnail.options(**options)


def test_a_connection_needs_a_storage_that_takes_one() -> None:
    with pytest.raises(TypeError, match="no transaction to share"):
        asyncio.run(thumbnail.options(connection=object()).push("cat.png"))
    with pytest.raises(TypeError):
        thumbnail.options(connection=object()).push_nowait("cat.png")


def test_many_are_pushed_in_order_by_whatever_form_of_call() -> None:
    async def scene() -> None:
        async with MemoryStorage() as storage:
            with app.using(storage):
                ids = await thumbnail.push_many([("a",), {"source": "b", "width": 2}, thumbnail.new("c")])
                mixed = await app.push_many([thumbnail.new("d"), with_context.new(1)])
                wrong: Any = ["e"]
                with pytest.raises(InvalidJob, match="call"):
                    await thumbnail.push_many(wrong)
            popped = storage.pop_many_nowait("default", uuid4(), 10)
            assert [*ids, *mixed] == [job.id for job in popped]
            assert ["a", "b", "c", "d"] == [job.args["source"] for job in popped[:4]]

    asyncio.run(scene())


def test_a_job_is_pushed_by_its_name() -> None:
    async def scene() -> None:
        async with MemoryStorage() as storage:
            with app.using(storage):
                job_id = await app.push_named("thumbnail", {"source": "a"}, priority=2)
                with pytest.raises(InvalidJob, match="there are: "):
                    await app.push_named("thumbnial")
                with pytest.raises(InvalidCall):
                    await app.push_named("thumbnail", ["a"])
            job = storage.info_nowait(job_id)
            assert job is not None
            assert ({"source": "a"}, 2) == (job.args, job.priority)

    asyncio.run(scene())


def test_an_app_opens_its_storage_at_the_first_use_and_closes_what_it_opened() -> None:
    async def scene() -> None:
        own = App("memory://")
        own.job(name="work")(print_nothing)
        await own.jobs["work"].push()
        storage = own.storage
        async with own:
            assert own.storage is storage
            async with own:
                pass
            await own.jobs["work"].push()
        with pytest.raises(StorageClosed):
            await storage.push(own.jobs["work"].new())
        assert own.storage is not storage, "and opens it again at the next use"
        for _ in range(2):
            await own.aclose()

    asyncio.run(scene())


def test_a_storage_that_was_passed_in_stays_open() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        async with App(storage):
            pass
        assert 0 == len(storage)

    asyncio.run(scene())


def print_nothing() -> None: ...


def test_programs_without_a_loop_push_through_a_bridge() -> None:
    pytest.importorskip("anyio")
    storage = MemoryStorage()
    with app.using(storage), app.blocking() as blocking:
        pushed = [blocking(thumbnail.push("a"))]

        def push() -> None:
            pushed.append(blocking(thumbnail.push("b")))

        threads = [threading.Thread(target=push) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(pushed) == sorted(job.id for job in storage.pop_many_nowait("default", uuid4(), 10))
        blocking(storage.aclose())
        with pytest.raises(StorageClosed):
            blocking(thumbnail.push("c"))
    bridge = app.blocking()
    assert 6 == bridge(asyncio.sleep(0, 6))
    bridge.close()
    assert 7 == bridge(asyncio.sleep(0, 7)), "a later call starts anew"
    bridge.close()


def test_a_bridge_without_a_loop_says_why_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    anyio = pytest.importorskip("anyio")
    bridge = app.blocking()

    def fail(_main: Any) -> None:
        raise OSError("too many open files")

    with monkeypatch.context() as now:
        now.setattr(anyio, "run", fail)
        for _ in range(2):
            coroutine = asyncio.sleep(0, 1)
            with pytest.raises(OSError, match="too many open files"):
                bridge(coroutine)
            coroutine.close()
        bridge.close()
    assert 1 == bridge(asyncio.sleep(0, 1))
    bridge.close()


def test_a_parameter_may_have_any_name() -> None:
    @app.job
    def odd(self: int, args: int, kwargs: int) -> None: ...

    assert {"self": 1, "args": 2, "kwargs": 3} == odd.new(self=1, args=2, kwargs=3).args
    assert {"self": 1, "args": 2, "kwargs": 3} == odd.new(1, 2, 3).args
