"""`JobcoreBroker`: a broker for dramatiq, `dramatiq.set_broker(JobcoreBroker("sqlite:///jobs.db"))`."""

from __future__ import annotations

from jobcore.errors import NotInstalled

try:
    from jobcore.contrib.dramatiq.broker import JobcoreBroker
except ModuleNotFoundError as _error:
    if not (_error.name or "").startswith("dramatiq"):
        raise
    raise NotInstalled("dramatiq", "dramatiq") from _error

__all__ = ["JobcoreBroker"]
