"""A background-job core: jobs are pushed into queues, popped under a lease, completed, retried, and never lost."""

from importlib.metadata import version

from jobcore._implementation import IMPLEMENTATION
from jobcore.errors import InvalidJob, JobcoreError, LeaseLost, StorageClosed, StorageUnavailable
from jobcore.jobs import Completion, Exponential, JobInfo, JobResult, Linear, NewJobInfo, ReturnJobInfo
from jobcore.memory import MemoryStorage
from jobcore.storage import BatchStorage, Clock, Storage, Timer

__version__ = version("jobcore")

__all__ = [
    "IMPLEMENTATION",
    "BatchStorage",
    "Clock",
    "Completion",
    "Exponential",
    "InvalidJob",
    "JobInfo",
    "JobResult",
    "JobcoreError",
    "LeaseLost",
    "Linear",
    "MemoryStorage",
    "NewJobInfo",
    "ReturnJobInfo",
    "Storage",
    "StorageClosed",
    "StorageUnavailable",
    "Timer",
]
