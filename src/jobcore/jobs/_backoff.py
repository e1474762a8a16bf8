"""How long a failed job rests before its next attempt."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache

from jobcore._json import decode, encode
from jobcore.errors import InvalidJob, InvalidJobType


def _number(name: str, value: object, low: float, high: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidJobType(name, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and low <= number <= high):
        bounds = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise InvalidJob(name, f"must be finite and {bounds}")
    return number


def _text(**numbers: float | None) -> str:
    # Equal backoffs have one text: 2 for 2.0, too.
    plain = {name: int(n) if n is not None and float(n).is_integer() else n for name, n in numbers.items()}
    return encode(plain).decode()


@dataclass(frozen=True, slots=True)
class Backoff(ABC):
    """Base of `Linear` and `Exponential`. `text` is the backoff as JSON, which is how a job carries it."""

    text: str = field(init=False, repr=False, compare=False)

    @abstractmethod
    def delay(self, attempt: int) -> float:
        """Seconds to rest before the retry number `attempt`, from 1."""


@dataclass(frozen=True, slots=True, init=False)
class Linear(Backoff):
    """The same rest, `seconds`, before every retry."""

    seconds: float

    def __init__(self, seconds: float) -> None:
        _number("backoff seconds", seconds, 0)
        object.__setattr__(self, "seconds", seconds)
        object.__setattr__(self, "text", _text(linear=seconds))

    def delay(self, attempt: int) -> float:  # noqa: ARG002  (one signature for all backoffs)
        """Seconds to rest before the retry number `attempt`, from 1."""
        return float(self.seconds)


@dataclass(frozen=True, slots=True, init=False)
class Exponential(Backoff):
    """`base ** k` seconds before the k-th retry, changed by up to ± `jitter` of itself, then at most `cap` seconds."""

    base: float
    cap: float | None = None
    jitter: float = 0.0

    def __init__(self, base: float, *, cap: float | None = None, jitter: float = 0.0) -> None:
        _number("backoff base", base, 0)
        if cap is not None:
            _number("backoff cap", cap, 0)
        _number("backoff jitter", jitter, 0, 1)
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "cap", cap)
        object.__setattr__(self, "jitter", jitter)
        object.__setattr__(self, "text", _text(exponential=base, cap=cap, jitter=jitter))

    def delay(self, attempt: int) -> float:
        """Seconds to rest before the retry number `attempt`, from 1; infinity where the power overflows."""
        try:
            seconds = float(self.base) ** attempt
        except OverflowError:
            seconds = math.inf
        if self.jitter:
            seconds *= 1 + random.uniform(-self.jitter, self.jitter)  # noqa: S311  (no secret hangs on it)
        return seconds if self.cap is None else min(seconds, float(self.cap))


@lru_cache(maxsize=256)
def backoff_from_text(text: str) -> Backoff:
    """The backoff with this `text`; `InvalidJob` if there is none."""
    data = decode(text)
    match data:
        case {"linear": seconds}:
            return Linear(seconds)
        case {"exponential": base, "cap": cap, "jitter": jitter}:
            return Exponential(base, cap=cap, jitter=jitter)
        case _:
            raise InvalidJob("backoff", "is not one that can be read")
