"""Apps and jobs as a type checker sees them: mypy and pyright read this file (`make types`), nothing runs it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, assert_type
from uuid import UUID

from jobcore import (
    App,
    JobContext,
    JobInfo,
    MemoryStorage,
    NewJobInfo,
    PostgresStorage,
    SqliteStorage,
    Worker,
    open_storage,
)
from jobcore.app import Every, JobEvent

app = App("memory://")


@app.job
async def thumbnail(source: str, width: int = 100) -> bytes:  # noqa: ARG001
    return b""


@app.job(queue="slow", timeout=timedelta(seconds=5), executor="thread")
def count(path: str) -> int:  # noqa: ARG001
    return 0


@app.job(name="with context")
async def with_context(ctx: JobContext, number: int) -> None:
    assert_type(ctx.job, JobInfo)
    assert_type(ctx.runner_id, UUID)
    assert_type(ctx.state, Any)
    await ctx.heartbeat()
    ctx.logger.info("at work")
    if number:
        ctx.snooze(timedelta(seconds=1))


@app.on("dead")
async def on_dead(event: JobEvent) -> None:
    assert_type(event.job, JobInfo)
    assert_type(event.error, str | None)


async def pushes(moment: datetime) -> None:
    assert_type(await thumbnail.push("cat.png", width=640), UUID)
    assert_type(await with_context.push(1), UUID)
    assert_type(count.push_nowait("path"), UUID)
    assert_type(thumbnail.new("cat.png"), NewJobInfo)
    assert_type(await thumbnail.options(after=timedelta(1), priority=3).push("cat.png"), UUID)
    assert_type(await thumbnail.options(at=moment).push_many([("cat.png",), {"source": "dog.png"}]), list[UUID])
    assert_type(app.every(timedelta(minutes=1), with_context, 1), Every)
    assert_type(app.blocking()(thumbnail.push("cat.png")), UUID)


async def calls(ctx: JobContext) -> None:
    assert_type(await thumbnail("cat.png"), bytes)
    assert_type(count("path"), int)
    await with_context(ctx, 1)


async def refused_by_checkers() -> None:
    await thumbnail.push()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await thumbnail.push(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await thumbnail.push("cat.png", height=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await thumbnail.options(priority=1).push(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await with_context(1)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    app.every(timedelta(1), count, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    app.on("finished")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def works() -> None:
    assert_type(open_storage("memory://"), MemoryStorage | SqliteStorage | PostgresStorage)
    async with App(MemoryStorage()) as opened, Worker(opened, {"default": 8, "mail": 2}, grace=1.5) as worker:
        assert_type(opened, App)
        assert_type(worker, Worker)
        worker.stop()
    await Worker(app).run()
