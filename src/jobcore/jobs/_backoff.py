"""How long a failed job rests before its next attempt."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from jobcore.errors import InvalidJob, InvalidJobType


def _number(field: str, value: object, low: float, high: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidJobType(field, "a number", value)
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not (finite and low <= value <= high):
        bounds = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise InvalidJob(field, f"must be finite and {bounds}")


@dataclass(frozen=True, slots=True)
class Linear:
    """The same rest, `seconds`, before every retry."""

    seconds: float

    def __post_init__(self) -> None:
        _number("backoff seconds", self.seconds, 0)

    def delay(self, attempt: int) -> float:  # noqa: ARG002  (one signature for all backoffs)
        """Seconds to rest before the retry number `attempt`, from 1."""
        return float(self.seconds)


@dataclass(frozen=True, slots=True)
class Exponential:
    """`base ** k` seconds before the k-th retry, changed by up to ± `jitter` of itself, then capped at `cap` seconds."""

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

    def delay(self, attempt: int) -> float:
        """Seconds to rest before the retry number `attempt`, from 1; infinity where the power overflows."""
        try:
            seconds = float(self.base) ** attempt
        except OverflowError:
            seconds = math.inf
        if self.jitter:
            seconds *= 1 + random.uniform(-self.jitter, self.jitter)  # noqa: S311  (no secret hangs on it)
        return seconds if self.cap is None else min(seconds, float(self.cap))


Backoff = Linear | Exponential


def backoff_to_data(backoff: Backoff) -> dict[str, Any]:
    """The backoff as plain JSON data; `backoff_from_data` reads it back."""
    if isinstance(backoff, Linear):
        return {"linear": backoff.seconds}
    return {"exponential": backoff.base, "cap": backoff.cap, "jitter": backoff.jitter}


def backoff_from_data(data: dict[str, Any]) -> Backoff:
    """The backoff that `backoff_to_data` wrote down."""
    if "linear" in data:
        return Linear(data["linear"])
    return Exponential(data["exponential"], cap=data["cap"], jitter=data["jitter"])
