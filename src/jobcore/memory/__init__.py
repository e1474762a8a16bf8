"""Jobs in this process: `MemoryStorage`, and the index below it for adapters to other libraries."""

from jobcore.memory._selected import JobIndex
from jobcore.memory.storage import MemoryStorage

__all__ = ["JobIndex", "MemoryStorage"]
