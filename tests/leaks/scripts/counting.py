"""Whether anything is left behind, by counting.

A cycle is run many times, after so many that caches and free lists are full. Then there must be

- as many references to the objects that it was given as before: exactly;
- as many blocks of Python's allocator in use as before, but for a few that come and go; a leak of one object a cycle
  would leave thousands;
- as much memory resident as before, but for a little; that finds what C++ has allocated. The smallest block of one
  allocation a cycle would leave more.

The garbage collector is off, so that what it would have to find counts as left behind. Only where calls wait it is on
(`collect`): a waitlist and its alarm know each other.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobcore import IMPLEMENTATION

if TYPE_CHECKING:
    from collections.abc import Callable

COMPILED = IMPLEMENTATION == "cpp"
CYCLES = 200_000 if COMPILED else 10_000
FEW_BLOCKS = 300
LITTLE_MEMORY = 2 * 2**20
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
"""It keeps what is freed for a while."""

_STATM = Path("/proc/self/statm")


class Handle:
    """An object that is counted while it lives, by the text it was made with."""

    living: Counter[str] = Counter()  # noqa: RUF012 -- one for all

    def __init__(self, group: str = "") -> None:
        self.group = group
        self.living[group] += 1

    def __del__(self) -> None:
        self.living[self.group] -= 1


def resident_memory() -> int:
    """Bytes; 0 where nobody says."""
    return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATM.exists() else 0


def assert_flat(cycle: Callable[[], object], *given: Any, cycles: int = CYCLES, collect: bool = False) -> None:
    """Run this so many times, and see what is left behind; `given` are objects that it uses."""
    gc.collect()
    if not collect:
        gc.disable()
    for _ in range(cycles // 5):
        cycle()
    if collect:
        gc.collect()
    memory = resident_memory()  # before the blocks are counted, since its first call leaves some
    references, blocks = [sys.getrefcount(each) for each in given], sys.getallocatedblocks()
    for _ in range(cycles):
        cycle()
    if collect:
        gc.collect()
    blocks, memory = sys.getallocatedblocks() - blocks, resident_memory() - memory
    assert references == [sys.getrefcount(each) for each in given]
    assert blocks <= FEW_BLOCKS, f"{blocks} blocks in {cycles} cycles"
    assert SANITIZED or memory <= LITTLE_MEMORY, f"{memory} bytes in {cycles} cycles"
    gc.enable()
