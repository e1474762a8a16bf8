"""`InlineJobs`: the jobs of an app in a test, carried out when the test says so, on virtual time.

While it is entered, the app pushes to a storage in memory that keeps a list of what was pushed. Nothing runs by itself:
`run` lets a real `Worker` carry out all that is due, with the app's middleware, lifespan, events and retries as in
production, until nothing is left that is due; `advance` goes from one due time to the next, and runs at each. So a test
of retries over an hour takes no time, and what it checks is the real thing.

A `run` is the life of one worker: the lifespan of the app begins and ends with it. What `App.every` pushes is left out:
it goes by the time of the event loop.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jobcore.memory import MemoryStorage
from jobcore.testing._clock import FakeClock
from jobcore.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from jobcore.app import App, Job, JobEvent
    from jobcore.app._events import EventHandler, EventKind
    from jobcore.jobs import Completion, NewJobInfo, ReturnJobInfo


class _RecordingStorage(MemoryStorage):
    """Keeps what was pushed, and tells when something was completed."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock, timer=clock)
        self.pushed: list[NewJobInfo] = []
        self.completed = asyncio.Event()

    def push_nowait(self, job: NewJobInfo) -> UUID:
        job_id = super().push_nowait(job)
        self.pushed.append(job)
        return job_id

    async def push(self, job: NewJobInfo) -> UUID:
        return self.push_nowait(job)

    async def complete_many(self, returned: Iterable[ReturnJobInfo]) -> list[Completion]:
        completions = await super().complete_many(returned)
        self.completed.set()
        return completions

    def until_next_of_all(self) -> float | None:
        """Seconds until a job can be popped from any queue."""
        found = [self.until_next(queue) for queue in self.stats().by_queue]
        return min((seconds for seconds in found if seconds is not None), default=None)


class InlineJobs:
    """The jobs of `app`, carried out by `run` and `advance` only; an async context manager.

    `clock` is the time that they go by. `concurrency` is how many of a queue run at once: with 1 they run in the order
    in which they leave the queue. `succeeded`, `failed` (put back for a retry) and `dead` are the events so far.
    """

    def __init__(self, app: App, *, clock: FakeClock | None = None, concurrency: int = 1) -> None:
        self.app: App = app
        self.clock: FakeClock = FakeClock() if clock is None else clock
        self.succeeded: list[JobEvent] = []
        self.failed: list[JobEvent] = []
        self.dead: list[JobEvent] = []
        self._concurrency = concurrency
        self._storage = _RecordingStorage(self.clock)
        self._stack = ExitStack()

    @property
    def storage(self) -> MemoryStorage:
        """Where the jobs are meanwhile."""
        return self._storage

    def pushed(self, job: Job[..., ..., Any] | str | None = None) -> list[NewJobInfo]:
        """What was pushed so far, in order: all, or what is of this job or name."""
        name = job if isinstance(job, str | None) else job.name
        return [new for new in self._storage.pushed if name is None or new.name == name]

    async def run(self) -> None:
        """Carry out all that is due, and what that pushes, until nothing is left that is due."""
        while self._is_due():
            queues = self._storage.stats().by_queue
            async with Worker(self.app, dict.fromkeys(queues, self._concurrency), grace=0):
                while any(self._is_at_work(queue) for queue in queues):
                    self._storage.completed.clear()
                    await self._storage.completed.wait()

    async def advance(self, by: timedelta | float) -> None:
        """Let time pass (a timedelta or seconds), and run what comes due, each at its own time."""
        rest = by.total_seconds() if isinstance(by, timedelta) else by
        await self.run()
        while (pause := self._storage.until_next_of_all()) is not None and pause <= rest:
            self.clock.skip(pause)
            rest -= pause
            await self.run()
        self.clock.skip(max(0.0, rest))

    def _is_due(self) -> bool:
        pause = self._storage.until_next_of_all()
        return pause is not None and pause <= 0

    def _is_at_work(self, queue: str) -> bool:
        stats = self._storage.stats().by_queue.get(queue)
        if stats is None:
            return False
        pause = self._storage.until_next(queue)
        return stats.running > 0 or (pause is not None and pause <= 0)

    @contextmanager
    def _listening(self) -> Generator[None]:
        lists: dict[EventKind, list[JobEvent]] = {
            "succeeded": self.succeeded,
            "failed": self.failed,
            "dead": self.dead,
        }
        handlers: dict[EventKind, EventHandler] = {kind: events.append for kind, events in lists.items()}
        for kind, handler in handlers.items():
            self.app.on(kind)(handler)
        try:
            yield
        finally:
            for kind, handler in handlers.items():
                self.app.handlers[kind].remove(handler)

    async def __aenter__(self) -> Self:
        self._stack.enter_context(self.app.using(self._storage))
        self._stack.enter_context(self._listening())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
        await self._storage.aclose()
