"""`SqliteStorage`: jobs in one file, for the processes of one machine."""

from jobcore.sqlite.storage import SqliteStorage

__all__ = ["SqliteStorage"]
