"""The demo itself: find the files, push a job for each, have them done, kill a runner on the way, count."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobcore.cli.demo import show
from jobcore.cli.demo._severed import SeverableStorage
from jobcore.cli.demo.app import QUEUE, Index, make_app, quoted
from jobcore.errors import StorageClosed
from jobcore.memory import MemoryStorage
from jobcore.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcore.app import App, JobEvent
    from jobcore.stats import StorageStats

CONCURRENCY = {QUEUE: 4}
"""Files that each of the two workers reads at once."""
FLAKY = 20
"""Files, at the most, whose first attempt fails."""
BATCH = 500
INTERRUPTED = 130


@dataclass
class Books:
    """What was found, and what came of it."""

    files: list[str] = field(default_factory=list[str])
    unread: list[OSError] = field(default_factory=list[OSError])
    index: Index = field(default_factory=Index)
    killed: int = 0

    def lost(self, stats: StorageStats) -> int:
        """How many files are not accounted for exactly once, by the index or by what the storage counted."""
        index = self.index
        lost = sum(
            index.last_words[file] != 1 or not (file in index.dead or file in index.entries) for file in self.files
        )
        return max(lost, abs(len(self.files) - len(index.dead) - stats.completed), abs(stats.dead - len(index.dead)))


def index_directory(directory: Path, skip: str) -> int:
    """Do it all, and return the exit code."""
    logging.getLogger("jobcore").addHandler(logging.NullHandler())  # failures are planned: the display counts them
    books = Books()
    try:
        click.echo(f"Indexing the files under {click.format_filename(directory)}")
        find_files(directory, skip, books)
        started = time.perf_counter()
        with show.progress(len(books.files)) as update:
            stats = asyncio.run(work(books, update))
    except KeyboardInterrupt:
        click.echo(f"Interrupted: {sum(books.index.last_words.values()):,} of {len(books.files):,} files were done")
        return INTERRUPTED
    finally:
        books.index.closed.set()
    lost = books.lost(stats)
    show.summary(books, stats, time.perf_counter() - started, lost)
    return 1 if lost else 0


def find_files(directory: Path, skip: str, books: Books) -> None:
    """All that is not a directory."""
    for folder, folders, names in os.walk(directory, onerror=books.unread.append):
        folders[:] = sorted(name for name in folders if name != skip)
        books.files.extend(quoted(Path(folder, name)) for name in sorted(names))


async def work(books: Books, update: Callable[[StorageStats], None]) -> StorageStats:
    """Two workers, one of which is killed; the other one takes over. Returns what the storage counted."""
    async with MemoryStorage() as storage, asyncio.TaskGroup() as group:
        app = make_app(storage, books.index)
        async with Worker(app, CONCURRENCY, grace=0):
            doomed = group.create_task(work_and_die(storage, books))
            pushing = group.create_task(push_all(app, storage, books.files))
            while len(storage) or not pushing.done():
                await asyncio.sleep(0.05)
                update(storage.stats())
        doomed.cancel()  # if there was too little to do to kill it
        return storage.stats()


async def work_and_die(storage: MemoryStorage, books: Books) -> None:
    """A worker that is cut off from the storage when it begins its share of the jobs, jobs in hand."""
    severable = SeverableStorage(storage)
    app = make_app(severable, books.index)
    worker = Worker(app, CONCURRENCY, grace=0)
    left = 1 + len(books.files) // 16  # starts until it dies

    @app.on("started")
    def kill(_event: JobEvent) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            books.killed += 1
            severable.cut()
            worker.stop()  # wakes a pop that waits; nothing can be handed back any more

    with suppress(StorageClosed):
        await worker.run(signals=False)


async def push_all(app: App, storage: MemoryStorage, files: list[str]) -> None:
    """A job for each file, not too far ahead of the workers; the first attempts of a few will fail."""
    flaky = set(random.Random(1).sample(files, min(FLAKY, len(files) // 2)))  # noqa: S311  (the same ones each time)
    jobs = (app.jobs["index_file"].new(file, flaky=file in flaky) for file in files)
    while batch := list(islice(jobs, BATCH)):
        await app.push_many(batch)
        while len(storage) > BATCH:  # noqa: ASYNC110  (a storage tells nobody that it has become shorter)
            await asyncio.sleep(0.01)
