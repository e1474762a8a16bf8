"""The values of the field: jobs to push, jobs popped, jobs handed back, and how they rest between attempts.

The files with a `.pxd` beside them are also compiled: the `.pxd` gives their classes C fields, and the result stands
in front of the `.py` wherever there is a compiled build. Fields are private and read through properties in both forms.
Inside, moments are integer microseconds and arguments are JSON text.
"""

from jobcore.jobs._backoff import Backoff, Exponential, Linear
from jobcore.jobs._job import JobInfo
from jobcore.jobs._new import NewJobInfo
from jobcore.jobs._results import Completion, JobResult
from jobcore.jobs._returned import ReturnJobInfo

__all__ = [
    "Backoff",
    "Completion",
    "Exponential",
    "JobInfo",
    "JobResult",
    "Linear",
    "NewJobInfo",
    "ReturnJobInfo",
]
