"""How an execution ended (`JobResult`), and what `complete` did with the job (`Completion`)."""

from __future__ import annotations

from enum import Enum


class JobResult(Enum):
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


class Completion(Enum):
    """What `complete` did with a job."""

    REMOVED = "removed"
    PUT_BACK = "put_back"
    LEASE_LOST = "lease_lost"


RESULTS = tuple(JobResult)
"""By code: a returned job carries the place of its result in this tuple."""
