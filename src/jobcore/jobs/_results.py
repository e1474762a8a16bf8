"""How an execution ended (`JobResult`), and what `complete` did with the job (`Completion`)."""

from __future__ import annotations

from enum import Enum, EnumType


class _Enumeration(EnumType):
    """The metaclass of enumerations that are read in the middle of every job; compiled code quickens it."""


class JobResult(Enum, metaclass=_Enumeration):
    """How an execution ended."""

    SUCCESS = "success"
    """The work is done: the job is removed."""
    FAILURE = "failure"
    """The work failed: the job is put back with its backoff, or removed when its retries are used up."""
    UNREGISTERED = "unregistered"
    """This worker has no such job: it is put back as it was."""
    UNEXECUTED = "unexecuted"
    """The worker stopped before the work was done: the job is put back as it was."""
    DEAD = "dead"
    """The job is hopeless: it is removed, whatever retries are left."""


class Completion(Enum, metaclass=_Enumeration):
    """What `complete` did with a job."""

    REMOVED = "removed"
    PUT_BACK = "put_back"
    LEASE_LOST = "lease_lost"


RESULTS = tuple(JobResult)
"""By code: a returned job carries the place of its result in this tuple."""
