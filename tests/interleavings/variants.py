"""The code under test in variants: as it is, with points between its statements, with one line changed.

Between two callbacks of a loop the scheduler decides what happens. In the middle of one it cannot, but other threads
act there, too, and so do a signal handler or a finalizer, which Python runs between any two instructions. Therefore a
variant can have a call of `point` before each statement: there the scheduler may let somebody else act. The calls are
put into the syntax tree, so it needs no tracing, goes at full speed and is the same on every Python.

What is varied is all of `_waiting.py` and the methods of `MemoryStorage` that wait.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from jobcore import MemoryStorage
from jobcore.memory import _waiting, storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interleavings.scheduler import VirtualClock

METHODS = ("_wait_for", "_put_back", "aclose")
"""The methods of `MemoryStorage` that the argument rests on."""

MANY_TAKES = 200
"""More often no pop tries in a schedule, unless it goes round in circles."""

Change = tuple[str, str]
"""A piece of text that occurs once, and what is put in its place."""


class _Breaths:
    """Breathes at every pop, or never: by the real clock, a schedule could not be played twice."""

    def __init__(self, *, always: bool) -> None:
        self.next_at = 0 if always else 2**62
        self._always = always

    def take(self, now: int) -> bool:
        assert now > 0
        return self._always


class _Watched(MemoryStorage):
    takes = 0

    def pop_nowait(self, queue: Any, runner_id: Any) -> Any:
        self.takes += 1
        assert self.takes < MANY_TAKES, "a pop goes round in circles"
        return super().pop_nowait(queue, runner_id)


def _put_points(tree: ast.Module) -> None:
    """Put a call of `point` before each statement of each function."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    blocks = [node for function in functions for node in ast.walk(function)]
    for node in blocks:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, [each for one in block for each in (_call_of_point(one), one)])


def _call_of_point(before: ast.stmt) -> ast.stmt:
    call = ast.Expr(ast.Call(ast.Name("point", ast.Load()), [], []))
    return ast.fix_missing_locations(ast.copy_location(call, before))


def waiting_source() -> str:
    return Path(_waiting.__file__).read_text(encoding="utf-8")


def method_source(name: str) -> str:
    return textwrap.dedent(inspect.getsource(getattr(MemoryStorage, name)))


class Variant:
    """A storage whose waiting is compiled anew from its source."""

    def __init__(self, change: Change | None = None, *, points: bool = False) -> None:
        self._points = points
        self._change = change
        self._hits = 0
        self._waiting: dict[str, Any] = {"__name__": _waiting.__name__, "point": _nothing}
        self._run(waiting_source(), self._waiting)
        self._storage: dict[str, Any] = {**vars(storage), "point": _nothing}
        for name in METHODS:
            self._run(method_source(name), self._storage)
        self._type = type("Watched", (_Watched,), {name: self._storage[name] for name in METHODS})
        assert change is None or self._hits == 1, f"not there once, but {self._hits} times: {change[0]!r}"

    def _run(self, source: str, names: dict[str, Any]) -> None:
        if self._change is not None:
            self._hits += source.count(self._change[0])
            source = source.replace(*self._change)
        tree = ast.parse(source)
        if self._points:
            _put_points(tree)
        # The annotations of a method alone stay unread, too.
        code = compile(tree, f"<{names['__name__']}>", "exec", flags=__future__.annotations.compiler_flag)
        exec(code, names)

    def storage(self, clock: VirtualClock, timer: Any, point: Callable[[], None], *, breathes: bool) -> MemoryStorage:
        """A new storage; `point` is called between its statements, if the variant has such points."""
        self._waiting["point"] = self._storage["point"] = point
        with patch.object(storage, "Waitlists", self._waiting["Waitlists"]):
            made: MemoryStorage = self._type(timer=timer, clock=clock)
        breaths: Any = _Breaths(always=breathes)
        made._breaths = breaths
        made.breathe_at = breaths.next_at
        return made


def _nothing() -> None:
    pass


@cache
def variant(change: Change | None = None, *, points: bool = False) -> Variant:
    """The variant, made once."""
    return Variant(change, points=points)
