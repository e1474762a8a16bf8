"""How long to wait before a storage that failed is asked again."""

from __future__ import annotations

import random

FIRST = 0.1
LONGEST = 10.0
"""Seconds."""


class Pauses:
    """Pauses that double, up to `LONGEST`, each shortened at random so that workers do not come back all at once."""

    def __init__(self) -> None:
        self._pause = FIRST

    def next(self) -> float:
        """The next pause, in seconds."""
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST)
        return pause * random.uniform(0.5, 1)  # noqa: S311  (no secret hangs on it)
