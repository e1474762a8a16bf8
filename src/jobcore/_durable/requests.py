# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""Requests: how a call gets from an event loop to the engine of a storage, and its answer back.

A call puts a request on the engine's way and awaits its future. The engine answers many requests at once, when they are
durable; `deliver` hands each loop its answers in one callback, so that a commit costs a loop one wake-up, however many
calls it carried.
"""

from __future__ import annotations

from asyncio import get_running_loop
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Iterator

T = TypeVar("T")

COPIER = bytes.fromhex("6a6f62636f7265408000636f70696572")
"""The runner that holds a job, without limit of time, while it is moved to another storage."""

READING = frozenset({"ping", "info", "gauges"})
"""The verbs that change nothing."""


class Request:
    """One call on its way: `verb` names the method of the engine's tables that answers it."""

    __slots__ = ("args", "error", "future", "loop", "value", "verb")

    args: tuple[Any, ...]
    error: BaseException | None
    future: Future[Any]
    loop: AbstractEventLoop
    value: Any
    verb: str

    def __init__(self, verb: str, *args: Any) -> None:
        self.verb = verb
        self.args = args
        self.loop = get_running_loop()
        self.future = self.loop.create_future()


class Pop(Request):
    """A pop: it waits in the line of its queue until it is answered with jobs, an error, or withdrawn."""

    __slots__ = ("limit", "queue", "runner", "taken")

    limit: int
    queue: str
    runner: bytes
    taken: Any
    """What the engine needs to undo the claims that were made for it."""

    def __init__(self, queue: str, runner: bytes, limit: int) -> None:
        super().__init__("pop")
        self.queue = queue
        self.runner = runner
        self.limit = limit
        self.taken = None


def undoing(pop: Pop, future: Future[Any]) -> Request:
    """The request that undoes this pop, which may come from any thread; the future is its answer's."""
    undo = Request.__new__(Request)
    undo.verb = "undo"
    undo.args = (pop,)
    undo.loop = pop.loop
    undo.future = future
    return undo


class Answers:
    """What a transaction has to say, by loop."""

    __slots__ = ("_by_loop",)

    _by_loop: dict[AbstractEventLoop, list[Request]]

    def __init__(self) -> None:
        self._by_loop = {}

    def add(self, request: Request, value: Any = None, error: BaseException | None = None) -> None:
        """A request ends with this value, or with this error."""
        request.value = value
        request.error = error
        answered = self._by_loop.get(request.loop)
        if answered is None:
            self._by_loop[request.loop] = [request]
        else:
            answered.append(request)

    def told(self) -> set[Request]:
        """Who has an answer."""
        return {request for answered in self._by_loop.values() for request in answered}

    def deliver(self) -> list[Pop]:
        """Send every loop its answers; the pops that got jobs on a loop that is closed, and will never know."""
        lost: list[Pop] = []
        for loop, answered in self._by_loop.items():
            try:
                loop.call_soon_threadsafe(settle, answered)
            except RuntimeError:
                lost += [one for one in answered if isinstance(one, Pop) and one.value]
        self._by_loop = {}
        return lost


def settle(answered: list[Request]) -> None:
    """On their loop: let those who wait for these have their answers."""
    for request in answered:
        future = request.future
        if future.done():  # cancelled: a pop has asked to be undone
            continue
        if request.error is None:
            future.set_result(request.value)
        else:
            future.set_exception(request.error)


def share(jobs: list[T], waiting: Iterator[Pop]) -> list[tuple[Pop, list[T]]]:
    """Deal the jobs out, first come first served; takes no more pops than get some."""
    dealt: list[tuple[Pop, list[T]]] = []
    at = 0
    while at < len(jobs) and (pop := next(waiting, None)) is not None:
        dealt.append((pop, jobs[at : at + pop.limit]))
        at += len(dealt[-1][1])
    return dealt
