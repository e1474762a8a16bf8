"""Counts the calls that reach our class, so that a run that went past it is noticed."""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from typing import Any, TypeVar

C = TypeVar("C", bound=type)

CALLS: Counter[str] = Counter()
"""Method -> calls, in this process."""


def counted(cls: C) -> C:
    """Count the calls of the public methods that this class has of its own or from jobcore.

    Changes the class and returns it: give it a subclass made for the tests.
    """
    for name in dir(cls):
        owner = next(kind for kind in cls.__mro__ if name in vars(kind))
        method = vars(owner)[name]
        ours = owner is cls or owner.__module__.startswith("jobcore.")
        if ours and not name.startswith("_") and inspect.isroutine(method) and callable(method):
            setattr(cls, name, _counting(f"{cls.__name__}.{name}", method))
    return cls


def _counting(name: str, method: Any) -> Any:
    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        CALLS[name] += 1
        return method(*args, **options)

    return call
