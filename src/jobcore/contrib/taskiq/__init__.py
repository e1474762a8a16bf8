"""For taskiq: `JobcoreBroker`, which listens in memory too, and `JobcoreScheduleSource`, which keeps schedules."""

from __future__ import annotations

from jobcore.errors import NotInstalled

try:
    from jobcore.contrib.taskiq.broker import JobcoreBroker
    from jobcore.contrib.taskiq.schedules import JobcoreScheduleSource
except ModuleNotFoundError as _error:
    if _error.name != "taskiq":
        raise
    raise NotInstalled("taskiq", "taskiq") from _error

__all__ = ["JobcoreBroker", "JobcoreScheduleSource"]
