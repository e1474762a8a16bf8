"""`SqliteStorage`: the storage in one file."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from jobcore._durable.storage import DurableStorage
from jobcore.sqlite import schema
from jobcore.sqlite.database import Database
from jobcore.sqlite.writer import Writer

if TYPE_CHECKING:
    from typing import Literal

    from jobcore.storage import Clock

SYNCHRONOUS = ("full", "normal")


class SqliteStorage(DurableStorage):
    """Jobs in a file: a `BatchStorage` for any number of processes of one machine.

    A call returns when its transaction is durable: against a loss of power with `synchronous="full"`, and with
    `"normal"`, which is faster, against a killed process only. The file is made, and its schema brought up to date, at
    the first call or by `async with`; with `migrate=False` a file that lacks it is refused. `clock` is for tests.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["full", "normal"] = "full",
        clock: Clock = time,
        migrate: bool = True,
    ) -> None:
        name = os.fspath(path)
        if not name or name == ":memory:" or "\0" in name:
            raise ValueError(f"{name!r} is no path of a file; MemoryStorage keeps jobs in memory")
        if synchronous not in SYNCHRONOUS:
            raise ValueError(f"synchronous must be 'full' or 'normal', not {synchronous!r}")
        # The working directory may change, and the file is opened later, maybe more than once.
        self.path: str = os.path.abspath(name)  # noqa: PTH100
        super().__init__(Writer(Database(self.path, synchronous, migrate=migrate), clock), clock)

    def migrations(self) -> str:
        """The SQL that makes the schema."""
        return schema.script()
