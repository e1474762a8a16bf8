"""`JobcoreStorage`: a storage for huey, `Huey(storage_class=JobcoreStorage)`."""

from __future__ import annotations

from jobcore.errors import NotInstalled

try:
    from jobcore.contrib.huey.storage import JobcoreStorage
except ModuleNotFoundError as error:
    if error.name != "huey":
        raise
    raise NotInstalled("huey", "huey") from error

__all__ = ["JobcoreStorage"]
