"""Requests: how a call gets from an event loop to the engine of a storage, and its answer back.

A call puts a request on the engine's way and awaits its future. The engine answers many requests at once, when they are
durable; `deliver` hands each loop its answers in one callback, so that a commit costs a loop one wake-up, however many
calls it carried.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

COPIER = bytes.fromhex("6a6f62636f7265408000636f70696572")
"""The runner that holds a job, without limit of time, while it is moved to another storage."""

READING = frozenset({"ping", "info", "gauges"})
"""The verbs that change nothing."""


class Request:
    """One call on its way: `verb` names the method of the engine's tables that answers it."""

    __slots__ = ("args", "future", "loop", "verb")

    def __init__(self, verb: str, *args: Any) -> None:
        self.verb: str = verb
        self.args: tuple[Any, ...] = args
        self.loop: AbstractEventLoop = asyncio.get_running_loop()
        self.future: Future[Any] = self.loop.create_future()


class Pop(Request):
    """A pop: it waits in the line of its queue until it is answered with jobs, an error, or withdrawn."""

    __slots__ = ("limit", "queue", "runner", "taken")

    def __init__(self, queue: str, runner: bytes, limit: int) -> None:
        super().__init__("pop")
        self.queue = queue
        self.runner = runner
        self.limit = limit
        self.taken: Any = None
        """What the engine needs to undo the claims that were made for it."""


class Answers:
    """What a transaction has to say, by loop."""

    def __init__(self) -> None:
        self._by_loop: dict[AbstractEventLoop, list[tuple[Request, Any, BaseException | None]]] = {}

    def add(self, request: Request, value: Any = None, error: BaseException | None = None) -> None:
        """A request ends with this value, or with this error."""
        self._by_loop.setdefault(request.loop, []).append((request, value, error))

    def told(self) -> set[Request]:
        """Who has an answer."""
        return {request for answers in self._by_loop.values() for request, _, _ in answers}

    def deliver(self) -> list[Pop]:
        """Send every loop its answers; the pops that got jobs on a loop that is closed, and will never know."""
        lost: list[Pop] = []
        for loop, answers in self._by_loop.items():
            try:
                loop.call_soon_threadsafe(_settle, answers)
            except RuntimeError:
                lost += [one for one, jobs, _ in answers if jobs and isinstance(one, Pop)]
        self._by_loop.clear()
        return lost


def _settle(answers: Iterable[tuple[Request, Any, BaseException | None]]) -> None:
    for request, value, error in answers:
        future = request.future
        if future.done():  # cancelled: a pop has asked to be undone
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)


def share(jobs: list[T], waiting: Iterator[Pop]) -> list[tuple[Pop, list[T]]]:
    """Deal the jobs out, first come first served; takes no more pops than get some."""
    dealt: list[tuple[Pop, list[T]]] = []
    at = 0
    while at < len(jobs) and (pop := next(waiting, None)) is not None:
        dealt.append((pop, jobs[at : at + pop.limit]))
        at += len(dealt[-1][1])
    return dealt
