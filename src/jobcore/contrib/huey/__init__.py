"""`JobcoreStorage`: a storage for huey, `Huey(storage_class=JobcoreStorage)`."""

from __future__ import annotations

from jobcore.errors import NotInstalled

try:
    from jobcore.contrib.huey.storage import JobcoreStorage
except ModuleNotFoundError as _error:
    if not (_error.name or "").startswith("huey"):
        raise
    raise NotInstalled("huey", "huey") from _error

__all__ = ["JobcoreStorage"]
