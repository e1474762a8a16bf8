"""`Place`: where jobs are, by a URL or as an open storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcore.errors import NotAStorage
from jobcore.opening import open_storage
from jobcore.storage import BatchStorage, missing_methods

if TYPE_CHECKING:
    from jobcore.memory import MemoryStorage
    from jobcore.postgres import PostgresStorage
    from jobcore.sqlite import SqliteStorage


class Place:
    """A storage, opened at its first use if a URL was given: in the process that uses it, not before a fork.

    Only what was opened here is closed here.
    """

    def __init__(self, where: str | BatchStorage) -> None:
        if not isinstance(where, str) and (missing := missing_methods(where, BatchStorage)):
            raise NotAStorage(where, missing)
        self._where = where
        self._opened: MemoryStorage | SqliteStorage | PostgresStorage | None = None

    def open(self) -> BatchStorage:
        """The storage. Raises `InvalidURL`, and `NotInstalled` for PostgreSQL without its driver."""
        if not isinstance(self._where, str):
            return self._where
        if self._opened is None:
            self._opened = open_storage(self._where)
        return self._opened

    async def close(self) -> None:
        """Close what was opened here; the next use opens it anew."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()
