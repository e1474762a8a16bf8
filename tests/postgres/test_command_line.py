"""The command line works on a PostgreSQL URL as on any other."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from jobcore import JobResult, Linear, NewJobInfo, PostgresStorage, SqliteStorage
from jobcore.copying import copy
from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

ME = UUID(int=1)


def test_workers_of_several_processes_carry_out_what_was_pushed(dsn: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.write(
        "work.py",
        f"""
        from jobcore import App

        app = App({dsn!r})

        @app.job
        async def note(number: int) -> None:
            with open("notes", "a") as file:
                file.write(f"{{number}}\\n")
        """,
    )
    for number in range(3):
        code, output = shell.run("push", "work:app", "note", f'{{"number": {number}}}')
        assert 0 == code, output

    async def push_more() -> None:
        async with PostgresStorage(dsn) as storage:
            await storage.push_many([NewJobInfo("note", {"number": number}) for number in range(3, 100)])

    asyncio.run(push_more())
    with shell.start("worker", "work:app", "--processes", "2") as running:
        running.until("started")
        asyncio.run(until_empty(dsn))
        running.signal(15)
        code, output = running.end()
    assert 0 == code, output
    assert sorted(map(str, range(100))) == sorted((tmp_path / "notes").read_text().split())
    code, output = shell.run("stats", dsn)
    assert 0 == code, output


async def until_empty(dsn: str) -> None:
    async with asyncio.timeout(60), PostgresStorage(dsn) as storage:
        while (await storage.stats()).jobs:
            await asyncio.sleep(0.02)


def test_jobs_move_there_and_back_as_they_are(dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    rest = timedelta(hours=1)
    new = [NewJobInfo("job", {"n": n}, priority=n % 3, queue=f"q{n % 2}", backoff=Linear(3600)) for n in range(1_200)]
    new += [NewJobInfo("later", n, next_queue=rest) for n in range(10)]

    async def before() -> list[UUID]:
        async with SqliteStorage(path) as storage:
            ids = await storage.push_many(new)
            job = await storage.pop("q0", ME)
            assert await storage.complete(job.returned(JobResult.FAILURE, ME, error="once")) is False
            return ids

    async def after() -> list[tuple[UUID, object, int]]:
        async with SqliteStorage(path) as storage:
            jobs = [job for queue in ("q0", "q1") for job in await storage.pop_many(queue, ME, 1_200)]
            assert 11 == (await storage.stats()).jobs - len(jobs), "those that are not due yet"
            return [(job.id, job.args, job.delivery_count) for job in jobs]

    ids = asyncio.run(before())
    shell = Shell(tmp_path)
    for source, target in ((f"sqlite:///{path}", dsn), (dsn, f"sqlite:///{path}")):
        code, output = shell.run("copy", source, target)
        assert (0, "1,210 jobs moved") == (code, output.strip())
    jobs = asyncio.run(after())
    assert set(ids[:1_200]) >= {job_id for job_id, _, _ in jobs}
    assert 1_199 == len(jobs)


def test_jobs_with_the_lowest_and_the_highest_id_move_too(dsn: str, tmp_path: Path) -> None:
    async def run() -> None:
        ids = [UUID(int=0), UUID(int=2**128 - 1)]
        async with PostgresStorage(dsn) as source, SqliteStorage(tmp_path / "jobs.db") as target:
            await source.push_many([NewJobInfo("job", id=job_id) for job_id in ids])
            assert 2 == await copy(source, target)
            assert 0 == (await source.stats()).jobs
            assert ids == [job.id for job in await target.pop_many("default", ME, 2)]

    asyncio.run(run())
