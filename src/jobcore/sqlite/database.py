"""The connection: opened as this storage needs it, watched, and opened again when it was lost.

`synchronous=full` syncs the write-ahead log at every commit: what was acknowledged outlasts a loss of power. `normal`
syncs at checkpoints only: a loss of power may take the latest commits, a killed process takes none, and the file stays
sound either way.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from jobcore.errors import StorageUnavailable
from jobcore.sqlite.schema import ROOM, VERSION, check_sqlite, upgrade, version_of

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds for which another process may hold the lock before a call ends with `StorageUnavailable`."""

LOG = 1000
"""Pages after which the log is carried over and begun anew, as SQLite has it: 4 MiB. A longer one would spare little:
as long as the log grows, each of its syncs writes the new length of the file, too."""
SHORT_LOG = 250
"""The same for commits one by one, which change a page or two."""

PRAGMAS = (
    "PRAGMA journal_size_limit = 16777216",
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = memory",
)

_SHORTEST_NAP = 0.000_2
_LONGEST_NAP = 0.005

_KEPT_FREE = 256
"""Free pages that are not worth a vacuum."""
_VACUUM_STEP = 256

_PRIMARY = 0xFF
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


def is_busy(error: BaseException) -> bool:
    """Whether another process holds a lock."""
    return isinstance(error, sqlite3.Error) and _code(error) in _BUSY


def concerns_one(error: BaseException) -> bool:
    """Whether another request could fare better than this one did: no room for it, or a value of its own."""
    return not isinstance(error, sqlite3.DatabaseError | StorageUnavailable) or (
        _code(error) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CONSTRAINT}
    )


def _code(error: BaseException) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY


def told(error: Exception) -> Exception:
    """What one caller gets for this: an exception of its own, with the cause chained, if it is the database's."""
    if isinstance(error, StorageUnavailable):
        unavailable = StorageUnavailable(error.reason)
        unavailable.__cause__ = error.__cause__
    elif isinstance(error, sqlite3.Error):
        unavailable = StorageUnavailable(str(error))
        unavailable.__cause__ = error
    else:
        return error
    return unavailable


class Database:
    """One file and, while it is there, a connection to it.

    One thread at a time calls it: always the same, as the writer's, or, with `one_thread=False`, whichever holds the
    lock of its owner.
    """

    def __init__(self, path: str, synchronous: str, *, migrate: bool, one_thread: bool = True, log: int = LOG) -> None:
        self.path = path
        self.connection: sqlite3.Connection | None = None
        self._synchronous = synchronous
        self._migrate = migrate
        self._one_thread = one_thread
        self._log = log
        self._identity: tuple[int, int] | None = None

    def open(self) -> sqlite3.Connection:
        """Connect, and bring the schema up to date."""
        check_sqlite()
        # Transactions are begun and ended by statements, not by the module; it waits by `patiently`, not by a timeout.
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, cached_statements=64, check_same_thread=self._one_thread
        )
        try:
            self._prepare(connection)
            self._identity = self._identity_now()
        except BaseException:
            connection.close()
            raise
        self.connection = connection
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        def run(statement: str) -> None:
            patiently(lambda: connection.execute(statement).fetchall())

        if patiently(lambda: version_of(connection, self.path)) < VERSION and not self._migrate:
            raise StorageUnavailable(
                f"{self.path} lacks the schema of this jobcore; run: jobcore migrate sqlite:///{self.path}"
            )
        run(ROOM)
        run("PRAGMA journal_mode = wal")
        run(f"PRAGMA synchronous = {self._synchronous}")
        for pragma in (f"PRAGMA wal_autocheckpoint = {self._log}", *PRAGMAS):
            run(pragma)
        if patiently(lambda: version_of(connection, self.path)) < VERSION:
            run("BEGIN IMMEDIATE")
            upgrade(connection, self.path)
            connection.execute("COMMIT")

    def check(self) -> None:
        """Raise if the file at this path is not the one that was opened any more."""
        if self._identity_now() != self._identity:
            raise StorageUnavailable(f"{self.path} was deleted or replaced; the next call opens what is there then")

    def version(self) -> int:
        """A number that changes when another connection has written."""
        (version,) = patiently(lambda: self._execute("PRAGMA data_version")).fetchone()
        return int(version)

    def begin(self) -> None:
        """Begin a transaction that will write; wait for others to end theirs."""
        patiently(lambda: self._execute("BEGIN IMMEDIATE"))

    def commit(self) -> None:
        """End it, durably."""
        self._execute("COMMIT")

    def rollback(self) -> None:
        """End a transaction that failed, if SQLite has not."""
        if self.connection is not None and self.connection.in_transaction:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")

    def vacuum(self) -> bool:
        """Give some free pages back, where more than half of the file is free; whether there is more to give."""
        # Somebody else writes, or vacuums; what is lost will be told to the next call.
        with suppress(sqlite3.Error, StorageUnavailable):
            free = self._pages("freelist_count")
            if free > max(_KEPT_FREE, self._pages("page_count") // 2):
                self._execute(f"PRAGMA incremental_vacuum({_VACUUM_STEP})").fetchall()
                return self._pages("freelist_count") < free  # a file that was made without `ROOM` gives none
        return False

    def close(self) -> None:
        """Let go of the file; harmless without one."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _execute(self, statement: str) -> sqlite3.Cursor:
        if self.connection is None:
            raise StorageUnavailable(f"{self.path} is not open")
        return self.connection.execute(statement)

    def _pages(self, kind: str) -> int:
        (number,) = self._execute(f"PRAGMA {kind}").fetchone()
        return int(number)

    def _identity_now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)  # noqa: PTH116  (a Path would be made anew for every transaction)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def patiently(act: Callable[[], T]) -> T:
    """Do it, again and again while somebody else holds a lock, for `PATIENCE` seconds.

    SQLite's own busy handler naps for up to 100 ms, and so gets the lock seldom from those who never nap. These naps
    are short and of random length, so that whoever waits comes to try in the next gap.
    """
    deadline: float | None = None
    nap = _SHORTEST_NAP
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            now = time.monotonic()
            if deadline is None:
                deadline = now + PATIENCE
            elif now >= deadline:
                reason = f"another process has held its lock for {PATIENCE:g} seconds"
                raise StorageUnavailable(reason) from error
        time.sleep(nap * random.uniform(0.5, 1))  # noqa: S311  (no secret hangs on it)
        nap = min(nap * 1.5, _LONGEST_NAP)
