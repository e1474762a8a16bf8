"""What a scene is made of: moves, in chains, and who waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interleavings.world import World

QUEUE = "queue"

LOOP, INTERRUPT, OUTSIDE, TIME = "loop", "interrupt", "outside", "time"
"""Where a move is made: in a callback of loop 0, in the middle of whatever runs, in another thread, or nowhere."""


@dataclass(frozen=True)
class Move:
    """Something that happens to the storage from outside of its waiting."""

    name: str
    act: Callable[[World], None]
    possible: Callable[[World], bool]
    where: str


@dataclass(frozen=True)
class Scene:
    """Who waits, and what happens."""

    chains: tuple[tuple[Move, ...], ...]
    waiting: tuple[int, ...] = (0, 0)
    """The loop of each pop that waits from the start."""
    by_hand: int = 0
    """How many pops come before those that are driven by no task, and forgotten after a while."""
    before: tuple[Move, ...] = ()
    """What has happened before anybody waits."""
    timer: bool = False
    """The storage waits by a `Timer`, not by the timers of the loop."""
    limit: int | None = None
    """The pops take up to so many jobs (`pop_many`)."""
    hurries: int = 2
    points: bool = False
    any_order: bool = False
    """A loop runs its callbacks in any order, not only in asyncio's."""
    breathes: bool = False
    """Each pop lets its loop run first."""
    early: int = 0
    """Timers ring so many microseconds too early."""
