"""For taskiq: `JobcoreBroker`, which listens in memory too, and `JobcoreScheduleSource`, which keeps schedules."""

from __future__ import annotations

from jobcore.errors import NotInstalled

try:
    from jobcore.contrib.taskiq.broker import JobcoreBroker
    from jobcore.contrib.taskiq.schedules import JobcoreScheduleSource
except ModuleNotFoundError as error:
    if error.name != "taskiq":
        raise
    raise NotInstalled("taskiq", "taskiq") from error

__all__ = ["JobcoreBroker", "JobcoreScheduleSource"]
