"""A background-job core: jobs are pushed into queues, popped under a lease, completed, retried, and never lost."""

from importlib import import_module
from typing import TYPE_CHECKING

from jobcore._implementation import IMPLEMENTATION
from jobcore.app import App, JobContext
from jobcore.errors import (
    InvalidCall,
    InvalidJob,
    InvalidURL,
    JobcoreError,
    LeaseLost,
    NotInstalled,
    StorageClosed,
    StorageUnavailable,
)
from jobcore.jobs import Completion, Exponential, JobInfo, JobResult, Linear, NewJobInfo, ReturnJobInfo
from jobcore.memory import MemoryStorage
from jobcore.storage import BatchStorage, Clock, Storage, Timer
from jobcore.worker import Worker

if TYPE_CHECKING:
    from jobcore.opening import open_storage
    from jobcore.postgres import PostgresStorage
    from jobcore.sqlite import SqliteStorage

    __version__: str

__all__ = [
    "IMPLEMENTATION",
    "App",
    "BatchStorage",
    "Clock",
    "Completion",
    "Exponential",
    "InvalidCall",
    "InvalidJob",
    "InvalidURL",
    "JobContext",
    "JobInfo",
    "JobResult",
    "JobcoreError",
    "LeaseLost",
    "Linear",
    "MemoryStorage",
    "NewJobInfo",
    "NotInstalled",
    "PostgresStorage",
    "ReturnJobInfo",
    "SqliteStorage",
    "Storage",
    "StorageClosed",
    "StorageUnavailable",
    "Timer",
    "Worker",
    "open_storage",
]

# Imported on first use: who keeps jobs in memory needs no database.
_ON_USE = {
    "PostgresStorage": "jobcore.postgres",
    "SqliteStorage": "jobcore.sqlite",
    "open_storage": "jobcore.opening",
}


def __getattr__(name: str) -> object:
    if name in _ON_USE:
        value: object = getattr(import_module(_ON_USE[name]), name)
    elif name == "__version__":
        # Reading the metadata of a package takes a third of the time that importing this one takes.
        value = import_module("importlib.metadata").version("jobcore")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value
