"""Logs on stderr: short lines to read, or one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

JOB_FIELDS = ("job_id", "job_name", "queue", "delivery")
COLOURS = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}
LEVELS = ("debug", "info", "warning", "error")


class JSONFormatter(logging.Formatter):
    """One JSON object a line; what belongs to a job says which."""

    def format(self, record: logging.LogRecord) -> str:
        """Values that JSON cannot say become their text."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in JOB_FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message; the level in colour where `coloured`."""

    def __init__(self, *, coloured: bool) -> None:
        super().__init__("%(asctime)s %(level)s %(message)s", "%H:%M:%S")
        self._coloured = coloured

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the name that logging calls)
        """The line above the traceback."""
        level = f"{record.levelname.lower():<7}"
        colour = COLOURS.get(record.levelno) if self._coloured else None
        record.level = f"\x1b[{colour}m{level}\x1b[0m" if colour else level
        name, job_id = getattr(record, "job_name", None), getattr(record, "job_id", "")
        job = f" [{name} {job_id}]" if name else ""
        return super().formatMessage(record) + job


def configure(level: str, form: str) -> None:
    """Log to stderr from here on."""
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    handler = logging.StreamHandler()
    handler.setFormatter(JSONFormatter() if form == "json" else TextFormatter(coloured=coloured))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
