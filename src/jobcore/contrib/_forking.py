"""`ForkAware`: what begins anew in a forked child.

What the parent has open is the parent's, and its locks may be held for ever in the copy that the child has. So the
child touches none of it: it lets go without closing, and makes its own.
"""

from __future__ import annotations

import os
import weakref
from typing import Any


class ForkAware:
    """Its `_begin` makes the locks and all that they guard: at the construction, and again in each forked child."""

    def __init__(self) -> None:
        self._begin()
        _fork_aware.add(self)

    def _begin(self) -> None:
        raise NotImplementedError

    def begin_in_child(self) -> None:
        """Begin anew."""
        _left_behind.append(self.__dict__.copy())
        self._begin()


_fork_aware: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_left_behind: list[dict[str, Any]] = []  # a connection of the parent must not even be closed


def _begin_in_child() -> None:
    for one in list(_fork_aware):
        one.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
