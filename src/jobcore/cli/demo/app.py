"""The app of the demo: a job a file. It does not know that one of its runners will be killed."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from jobcore.app import App, JobContext, JobEvent
from jobcore.jobs import Linear

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from jobcore.storage import Storage

QUEUE = "files"
CHUNK = 1 << 20
KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index says of a file."""

    sha256: str
    size: int
    lines: int


@dataclass
class Index:
    """The files by their quoted paths: an entry for each, or the reason why there is none.

    `last_words` counts the jobs that ended, by file. Threads write `entries`, the loop the rest. An entry may be
    written twice, when a runner lost the job and did not notice.
    """

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    dead: dict[str, str] = field(default_factory=dict[str, str])
    last_words: Counter[str] = field(default_factory=Counter[str])
    closed: threading.Event = field(default_factory=threading.Event)


def make_app(storage: Storage, index: Index) -> App:
    """The app on this storage, which fills this index."""

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncGenerator[Index]:
        yield index

    app = App(storage, lifespan=lifespan)
    app.job(queue=QUEUE, backoff=Linear(0.2), heartbeat_interval=timedelta(milliseconds=100))(index_file)

    @app.on("succeeded")
    def indexed(event: JobEvent) -> None:
        index.last_words[event.job.args["file"]] += 1

    @app.on("dead")
    def given_up(event: JobEvent) -> None:
        index.last_words[event.job.args["file"]] += 1
        index.dead[event.job.args["file"]] = event.error or ""

    return app


def index_file(ctx: JobContext, file: str, *, flaky: bool = False) -> None:
    """Read a file into the index; a plain function, so it runs in a thread of the worker."""
    index: Index = ctx.state
    if flaky and ctx.job.retry_count == 0:
        raise OSError("the first attempt fails, as planned")
    path = path_of(file)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for its other end
            ctx.give_up(KINDS.get(stat.S_IFMT(mode), "not a file"))
        index.entries[file] = read(path, index.closed)
    except (FileNotFoundError, PermissionError) as error:  # no retry will help; other errors may pass
        ctx.give_up(error.strerror or str(error))


def read(path: Path, closed: threading.Event) -> Entry:
    """A thread cannot be cancelled, but it can look whether anybody still waits for it."""
    digest, size, lines, chunk, end = hashlib.sha256(), 0, 0, b"", b"\n"
    with path.open("rb") as file:
        while not closed.is_set() and (chunk := file.read(CHUNK)):
            digest.update(chunk)
            size += len(chunk)
            lines += chunk.count(b"\n")
            end = chunk[-1:]
    return Entry(digest.hexdigest(), size, lines + (end != b"\n"))


def quoted(path: Path) -> str:
    """A path is bytes, and JSON is text."""
    return quote(os.fsencode(path))


def path_of(file: str) -> Path:
    """The path that was quoted."""
    return Path(os.fsdecode(unquote_to_bytes(file)))
