"""`Execution`: one delivery of a job in a worker, from the pop to the end of its completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from jobcore.jobs import JobInfo

LEASE_LOST = "lease lost"
SHUTDOWN = "shutdown"
SUPERSEDED = "superseded"


class Execution:
    """A job that this worker holds.

    `task` is the task that carries it out and `thread` the thread, where there is one; `stopped` says why it was
    cancelled from outside (one of the words above). Changed on the loop of the worker only, but for `seen` and
    `reported`, which are the lease keeper's.
    """

    __slots__ = ("deadline", "job", "reported", "seen", "started", "stopped", "task", "thread")

    def __init__(self, job: JobInfo) -> None:
        self.job = job
        self.task: asyncio.Task[None] | None = None
        self.thread: int | None = None
        self.stopped: str | None = None
        self.started = 0.0
        self.deadline: float | None = None
        self.seen = False
        self.reported = False

    def stop(self, why: str) -> None:
        """Cancel what runs. Only while the function runs: the cancellation must not reach the runner around it."""
        if self.stopped is None:
            self.stopped = why
            if self.task is not None:
                self.task.cancel(why)
