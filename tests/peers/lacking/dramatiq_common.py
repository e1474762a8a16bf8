"""`tests/common.py` of dramatiq, which its source distribution lacks: as much as is asked for here."""

from __future__ import annotations

import platform
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from dramatiq import Broker, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

skip_on_pypy = pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="PyPy cannot limit times")
skip_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="not for Windows")


@contextmanager
def worker(broker: Broker, **options: Any) -> Iterator[Worker]:
    """A worker that is at work."""
    started = Worker(broker, **options)
    started.start()
    try:
        yield started
    finally:
        started.stop()
