"""Hash every file under a directory with background jobs, and account for each of them.

    make demo                              the standard library of Python
    make demo DIRECTORY=/usr/share         another directory

One job per file goes into a storage. Runners pop them, hash in threads while a heartbeat keeps the lease alive, and
complete them. Trouble is made on purpose, and none of it may lose a file:

    flaky      the first attempt fails; the job is put back and retried after its backoff
    killed     the runner dies in the middle; the lease runs out and another runner gets the job
    stalled    the runner is slow and sends no heartbeats; another one takes over, and the late result is refused
    dead       what cannot be read (no permission, a socket, a dangling link) is given up at once

Read `run` first: it is a whole worker, and all that it asks for is in the protocol `jobcore.Storage`.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import hashlib
import os
import random
import stat
import sysconfig
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID, uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from jobcore import JobInfo, JobResult, LeaseLost, Linear, MemoryStorage, NewJobInfo, Storage, StorageClosed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobcore.stats import StorageStats

QUEUE = "files"
BEAT = timedelta(milliseconds=100)
LEASE = 5 * BEAT.total_seconds()
BACKOFF = Linear(0.2)
TROUBLE = 4 * ["killed"] + 2 * ["stalled"] + 20 * ["flaky"]


@dataclass
class Books:
    """What was found and what the runners did, to be compared with what the storage counted."""

    found: list[str] = field(default_factory=list[str])
    hashed: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    dead: dict[str, str] = field(default_factory=dict[str, str])
    killed: int = 0
    heartbeats: int = 0


async def run(storage: Storage, runner_id: UUID, books: Books) -> None:
    """Pop a job, carry it out while a heartbeat keeps it ours, and so on, until the storage is closed."""
    with suppress(StorageClosed):
        while True:
            job = await storage.pop(QUEUE, runner_id)
            heart = asyncio.create_task(keep_alive(storage, job, runner_id, books))
            try:
                await carry_out(storage, job, runner_id, books)
            finally:
                heart.cancel()


async def keep_alive(storage: Storage, job: JobInfo, runner_id: UUID, books: Books) -> None:
    """Renew the lease of a job, until the job is another runner's; `complete` will say so, too."""
    with suppress(LeaseLost, StorageClosed):
        while job.delivery_count > 1 or job.args["trouble"] != "stalled":
            await asyncio.sleep(job.heartbeat_interval.total_seconds())
            await storage.heartbeat(job.id, runner_id, job.delivery_count)
            books.heartbeats += 1


async def carry_out(storage: Storage, job: JobInfo, runner_id: UUID, books: Books) -> None:
    """Do the work and hand the job back, whatever came of it."""
    outcome, failure = ("", 0), None
    try:
        outcome = await hash_job(job)
        result = JobResult.SUCCESS
    except (FileNotFoundError, PermissionError) as error:  # no retry will help
        result, failure = JobResult.DEAD, error.strerror
    except OSError as error:
        result, failure = JobResult.FAILURE, str(error)
    try:
        removed = await storage.complete(job.returned(result, runner_id, error=failure))
    except LeaseLost:
        return  # too late: the job is another runner's now, and so is the result that counts
    if result is JobResult.SUCCESS:
        books.hashed[job.args["file"]] = outcome
    elif removed:  # dead, or out of retries
        books.dead[job.args["file"]] = failure or ""


async def hash_job(job: JobInfo) -> tuple[str, int]:
    """The digest and the size of the file, or the trouble that was planned for it."""
    args, first = job.args, job.delivery_count == 1
    if args["trouble"] == "flaky" and first:
        raise OSError("the first attempt fails")
    if args["trouble"] == "killed" and first and (runner := asyncio.current_task()):
        runner.cancel()  # takes effect in the middle of the hashing below, and nobody hands the job back
    if args["trouble"] == "stalled":
        await asyncio.sleep(1.4 * LEASE)
    given_up = threading.Event()
    try:
        return await asyncio.to_thread(hash_file, Path(os.fsdecode(unquote_to_bytes(args["file"]))), given_up)
    finally:
        given_up.set()  # a thread cannot be cancelled, but it can look


def hash_file(path: Path, given_up: threading.Event) -> tuple[str, int]:
    """Read a regular file in chunks."""
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its other end
        raise FileNotFoundError(errno.ENOENT, "no regular file")
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while not given_up.is_set() and (chunk := file.read(1 << 20)):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


async def employ(storage: Storage, books: Books) -> None:
    """Keep one runner at work: when it was killed, start another one."""
    while True:
        async with asyncio.TaskGroup() as group:
            runner = group.create_task(run(storage, uuid4(), books))
        if not runner.cancelled():
            return
        books.killed += 1


def find_files(directory: Path, skip: str) -> Iterator[str]:
    """All that is not a directory. A path is bytes and JSON is text, hence the quoting."""
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name != skip]
        yield from (quote(os.fsencode(Path(folder, name))) for name in names)


async def push_all(storage: MemoryStorage, found: list[str]) -> None:
    """One job for each file, and trouble for a few."""
    unlucky = random.Random(1).sample(found, min(len(found), len(TROUBLE)))
    trouble = dict(zip(unlucky, TROUBLE, strict=False))
    jobs = (
        NewJobInfo("hash", args, queue=QUEUE, backoff=BACKOFF, heartbeat_interval=BEAT)
        for args in ({"file": file, "trouble": trouble.get(file)} for file in found)
    )
    while batch := list(islice(jobs, 500)):
        await storage.push_many(batch)
        await asyncio.sleep(0)  # a push never waits: let the runners in


async def watch(storage: MemoryStorage, console: Console) -> None:
    """Show how it goes, until the storage is empty: a bar on a terminal, a line each second elsewhere."""
    columns = (BarColumn(None), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, expand=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("")
        next_line = time.monotonic() + 1
        while len(storage):
            await asyncio.sleep(0.05)
            stats = storage.stats()
            done = stats.completed + stats.dead
            events = f"{stats.failed} retried, {stats.reclaimed} reclaimed, {stats.dead} dead"
            progress.update(bar, completed=done, total=stats.pushed, description=events)
            if not console.is_terminal and time.monotonic() >= next_line:
                print(f"{done} of {stats.pushed}: {events}", flush=True)
                next_line += 1


async def hash_all(runners: int, books: Books, console: Console) -> StorageStats:
    """Put the jobs in, have them done, and return what the storage counted."""
    async with asyncio.TaskGroup() as group, MemoryStorage() as storage:
        for _ in range(runners):
            group.create_task(employ(storage, books))
        await push_all(storage, books.found)
        await watch(storage, console)
        return storage.stats()
    # The storage was closed on the way out, which woke the idle runners (StorageClosed), and the group waited for them.


def count_lost(books: Books, stats: StorageStats) -> int:
    """How many files are not accounted for, by the runners' books and by the storage's counters."""
    assert (stats.pushed, stats.jobs) == (len(books.found), 0)
    assert (stats.completed, stats.dead) == (len(books.hashed), len(books.dead)), "counted twice"
    assert books.hashed.keys().isdisjoint(books.dead)
    return len(set(books.found) - books.hashed.keys() - books.dead.keys())


def summary(books: Books, stats: StorageStats, seconds: float) -> Table:
    """What there was to do, what went wrong, what came of it."""
    size = sum(size for _, size in books.hashed.values())
    columns = ("", Column(justify="right"), Column(style="dim"))
    table = Table(*columns, box=None, show_header=False, pad_edge=False)
    table.add_row("found", f"{stats.pushed:,}", "files, a job for each")
    table.add_row("hashed", f"{stats.completed:,}", "each exactly once")
    table.add_row("retried", f"{stats.failed:,}", f"attempts failed, the jobs came back {BACKOFF.seconds} s later")
    table.add_row("killed", f"{books.killed:,}", "runners died with a job in hand")
    table.add_row("reclaimed", f"{stats.reclaimed:,}", f"jobs taken over when their lease of {LEASE} s ran out")
    table.add_row("refused", f"{stats.lost_leases:,}", "results came late, from runners that had lost the job")
    table.add_row("renewed", f"{books.heartbeats:,}", "times a heartbeat kept a lease alive")
    table.add_row("dead", f"{stats.dead:,}", "; ".join(sorted(set(books.dead.values()))[:2]))
    table.add_row("bytes", f"{size:,}", f"in files of {len(set(books.hashed.values())):,} different contents")
    table.add_row("seconds", f"{seconds:.2f}")
    table.add_row("jobs/s", f"{len(books.found) / seconds:,.0f}")
    return table


def main() -> int:
    """The command line. The exit status tells whether every file is accounted for."""
    library = Path(sysconfig.get_path("stdlib"))
    parser = argparse.ArgumentParser(description="Hash every file under a directory with background jobs.")
    parser.add_argument("directory", nargs="?", type=Path, default=library, help="default: Python's standard library")
    parser.add_argument("--runners", type=int, default=8, metavar="N", help="jobs worked on at a time (default: 8)")
    parser.add_argument("--limit", type=int, metavar="N", help="take no more than this many files")
    options = parser.parse_args()
    if not options.directory.is_dir():
        parser.error(f"{options.directory} is not a directory")
    skip = "site-packages" if options.directory == library else ""
    console, books = Console(highlight=False, markup=False), Books()
    try:
        console.print(f"Hashing the files under {options.directory}", soft_wrap=True)
        books.found.extend(islice(find_files(options.directory, skip), options.limit))
        started = time.perf_counter()
        stats = asyncio.run(hash_all(options.runners, books, console))
    except KeyboardInterrupt:
        print(f"Interrupted: {len(books.hashed):,} of {len(books.found):,} files were hashed")
        return 130
    console.print("", summary(books, stats, time.perf_counter() - started), "", sep="\n")
    lost = count_lost(books, stats)
    verdict = "NOT every file is accounted for" if lost else "every file was hashed exactly once or is dead"
    console.print(f"{lost:,} lost: {verdict}", style="bold red" if lost else "bold green")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
