"""The one file that knows both implementations."""

from typing import TYPE_CHECKING

from jobcore._implementation import IMPLEMENTATION

if TYPE_CHECKING or IMPLEMENTATION == "cpp":
    from jobcore.memory._calls import MemoryCalls
    from jobcore.memory._index import JobIndex
else:
    from jobcore.memory._pycalls import MemoryCalls
    from jobcore.memory._pyindex import JobIndex

__all__ = ["JobIndex", "MemoryCalls"]
