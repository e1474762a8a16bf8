"""What a function gets at the worker: converted arguments, its context, the app's state, middleware around it."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import pytest

from jobcore import App, InvalidJob, JobContext, Linear, MemoryStorage, NewJobInfo, Worker
from tests.worker.at_work import play, until, until_empty

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jobcore.app import JobEvent


class Color(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


class Pair(NamedTuple):
    left: int
    right: str


MOMENT = datetime(2031, 1, 1, tzinfo=UTC)


def carried_out(app: App, *jobs: NewJobInfo) -> list[JobEvent]:
    """Push these, work until all are gone, and return what failed or died."""
    failures: list[JobEvent] = []
    app.on("failed")(failures.append)
    app.on("dead")(failures.append)

    async def scene() -> None:
        storage = app.storage
        assert isinstance(storage, MemoryStorage)
        await storage.push_many(jobs)
        async with Worker(app):
            await until_empty(storage)

    play(scene())
    return failures


def test_arguments_are_converted_by_the_annotations() -> None:
    pytest.importorskip("msgspec")
    app, seen = App(MemoryStorage()), list[Any]()

    @app.job
    async def work(
        moment: datetime, own: UUID, color: Color, point: Point, pairs: list[Pair], maybe: Point | None = None
    ) -> None:
        seen.append((moment, own, color, point, pairs, maybe))

    own = uuid4()
    assert [] == carried_out(app, work.new(MOMENT, own, Color.RED, Point(1, 2), [Pair(1, "a")]))
    assert [(MOMENT, own, Color.RED, Point(1, 2), [Pair(1, "a")], None)] == seen


def test_a_plain_function_and_one_with_more_names_get_their_arguments() -> None:
    app, seen = App(MemoryStorage()), list[Any]()

    @app.job
    def plain(left: int, right: int = 7) -> None:
        seen.append((left, right))

    @app.job
    def more(first: int, **rest: int) -> None:
        seen.append((first, rest))

    assert [] == carried_out(app, plain.new(1), plain.new(1, right=2), more.new(1), more.new(1, second=2))
    assert sorted(map(repr, [(1, 7), (1, 2), (1, {}), (1, {"second": 2})])) == sorted(map(repr, seen))


@pytest.mark.parametrize("args", [{"number": "many"}, {}, {"number": 1, "unknown": 2}, [1], 5, None])
def test_arguments_that_do_not_fit_are_a_failure_that_is_retried(args: Any) -> None:
    if args == {"number": "many"}:
        pytest.importorskip("msgspec")
    app, runs = App(MemoryStorage()), []

    @app.job
    async def work(number: int) -> None:
        runs.append(number)

    failures = carried_out(app, NewJobInfo("work", args, max_retries=1, backoff=Linear(0)))
    assert ["failed", "dead"] == [event.kind for event in failures]
    assert str(failures[0].error).startswith("InvalidCall: work() does not take these arguments")
    assert [] == runs


def test_a_job_that_was_pushed_by_its_bare_name_is_called_without_arguments() -> None:
    app, seen = App(MemoryStorage()), []

    @app.job
    async def work(number: int = 1) -> None:
        seen.append(number)

    assert [] == carried_out(app, NewJobInfo("work"))
    assert [1] == seen


def test_the_context_tells_the_job_the_runner_and_the_state(caplog: pytest.LogCaptureFixture) -> None:
    entered: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[dict[str, str]]:
        entered.append(f"in, {len(app.jobs)} jobs")
        yield {"database": "open"}
        entered.append("out")

    app, seen = App(MemoryStorage(), lifespan=lifespan), list[Any]()

    @app.job
    async def work(ctx: JobContext, number: int) -> None:
        await ctx.heartbeat()
        ctx.logger.warning("at work", extra={"more": 1})
        seen.append((ctx.job.name, ctx.job.delivery_count, ctx.state["database"], number, ctx.runner_id))

    @app.job
    def plain(ctx: JobContext) -> None:
        seen.append(ctx.job.name)
        assert f"<JobContext of plain {ctx.job.id}, delivery 1>" == repr(ctx)

    assert [] == carried_out(app, work.new(3), plain.new())
    runner_id = next(one for one in seen if isinstance(one, tuple))[4]
    assert {("work", 1, "open", 3, runner_id), "plain"} == set(seen)
    assert ["in, 2 jobs", "out"] == entered
    record: Any = next(record for record in caplog.records if record.getMessage() == "at work")
    assert ("work", "default", 1, 1) == (record.job_name, record.queue, record.delivery, record.more)
    assert record.name == "jobcore.job"


def test_a_snooze_counts_no_retry_and_giving_up_is_final() -> None:
    app, runs = App(MemoryStorage()), list[Any]()

    @app.job(max_retries=0)
    async def sleepy(ctx: JobContext) -> None:
        runs.append(ctx.job.retry_count)
        if len(runs) < 3:
            try:
                ctx.snooze(timedelta(0))
            except Exception:  # noqa: BLE001
                pytest.fail("a snooze is no Exception that a handler could swallow")

    @app.job
    def hopeless(ctx: JobContext) -> None:
        ctx.give_up("no such file")

    failures = carried_out(app, sleepy.new(), hopeless.new())
    assert [0, 0, 0] == runs
    assert [("dead", "hopeless", "no such file")] == [(one.kind, one.job.name, one.error) for one in failures]


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (lambda ctx: ctx.snooze(5), "delay must be a timedelta, not int"),
        (lambda ctx: ctx.snooze(None), "delay must be a timedelta"),
        (lambda ctx: ctx.give_up(ValueError("no such file")), "reason must be a string, not ValueError"),
        (lambda ctx: ctx.give_up(None), "reason must be a string"),
    ],
)
def test_an_end_in_words_of_the_wrong_type_is_a_failure_that_says_so(end: Any, error: str) -> None:
    app = App(MemoryStorage())

    @app.job(max_retries=0)
    async def work(ctx: JobContext) -> None:
        end(ctx)

    failures = carried_out(app, work.new())
    assert [("dead", f"InvalidJobType: {error}")] == [(one.kind, one.error) for one in failures]


def test_middleware_wraps_in_order_and_may_answer_itself() -> None:
    steps: list[str] = []

    async def outer(ctx: JobContext, call_next: Any) -> Any:
        steps.append("outer in")
        result = await call_next(ctx)
        steps.append(f"outer out {result}")

    app = App(MemoryStorage(), middleware=[outer])

    @app.middleware
    async def inner(ctx: JobContext, call_next: Any) -> Any:
        steps.append(f"inner {ctx.job.args['number']}")
        return await call_next() if ctx.job.args["number"] else "skipped"

    @app.job
    async def work(number: int) -> int:
        steps.append("work")
        return number

    assert [] == carried_out(app, work.new(0))
    assert ["outer in", "inner 0", "outer out skipped"] == steps
    steps.clear()
    assert [] == carried_out(app, work.new(1))
    assert ["outer in", "inner 1", "work", "outer out 1"] == steps


def test_every_event_finds_its_handlers_whatever_they_do(caplog: pytest.LogCaptureFixture) -> None:
    app, heard = App(MemoryStorage()), list[str]()

    @app.job(max_retries=1, backoff=Linear(0))
    async def work(*, good: bool) -> None:
        if not good:
            raise ValueError("bad")

    for kind in ("started", "succeeded", "failed", "dead"):

        @app.on(kind)
        async def listen(event: JobEvent) -> None:
            await asyncio.sleep(0)
            heard.append(event.kind)

        @app.on(kind)
        def disturb(event: JobEvent) -> None:
            raise RuntimeError(event.kind)

    carried_out(app, work.new(good=True), work.new(good=False))
    assert ["dead", "failed", "started", "started", "started", "succeeded"] == sorted(heard)
    assert "a handler of 'dead' events failed" in caplog.text
    wrong: Any = "finished"
    with pytest.raises(InvalidJob, match="must be one of started, succeeded"):
        app.on(wrong)


def test_every_pushes_at_once_and_then_at_its_times_whatever_fails(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(MemoryStorage):
        calls = 0

        def push(self, job: NewJobInfo) -> Any:
            self.calls += 1
            if self.calls == 2:
                raise ConnectionError("no answer")
            return super().push(job)

    async def scene() -> None:
        storage = Failing()
        app = App(storage)

        @app.job
        def tick(number: int) -> None: ...

        at_module_level = app.every(timedelta(milliseconds=1), tick, 5)
        async with app:
            await until(lambda: len(storage) >= 3)
            at_module_level.cancel()
            await asyncio.sleep(0)
            pushed = len(storage)
            for _ in range(10):
                await asyncio.sleep(0.001)
            assert pushed == len(storage)
        job = storage.pop_nowait("default", uuid4())
        assert job is not None
        assert {"number": 5} == job.args
        with pytest.raises(InvalidJob):
            app.every(timedelta(0), tick, 5)
        with pytest.raises(TypeError):
            app.every(timedelta(1), tick, 5, 6)  # type: ignore[call-arg]

    with caplog.at_level(logging.ERROR):
        play(scene())
    assert "could not push the periodic job tick" in caplog.text


def test_every_makes_up_for_nothing_after_a_pause() -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app = App(storage)

        @app.job
        def tick() -> None: ...

        async with app:
            every = app.every(timedelta(milliseconds=50), tick)
            await until(lambda: len(storage) == 1)
            time.sleep(0.5)  # noqa: ASYNC251  (the loop is blocked for ten intervals)
            await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            assert len(storage) <= 2
            every.cancel()

    play(scene())


def test_every_ends_with_the_storage_that_it_pushes_to(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        storage = MemoryStorage()
        app, others = App(storage), asyncio.all_tasks()

        @app.job
        def tick() -> None: ...

        async with app:
            app.every(timedelta(milliseconds=1), tick)
            await until(lambda: len(storage) > 1)
            await storage.aclose()
            await until(lambda: asyncio.all_tasks() == others)

    play(scene())
    assert "" == caplog.text
