"""The tie between a supervisor and a worker process: a pipe, the worker's stdin.

One byte is one signal, passed on. When the pipe ends the supervisor is gone, killed perhaps, and the worker stops.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobcore.cli._stopping import Stopping


def hold_on(stopping: Stopping) -> None:
    """Watch the pipe in a thread, and leave nothing of it in stdin."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_watch, args=(pipe, stopping), name="jobcore lifeline", daemon=True).start()


def _watch(pipe: int, stopping: Stopping) -> None:
    while byte := os.read(pipe, 1):
        stopping.request(signal.Signals(byte[0]).name)
    stopping.request("the supervisor is gone")
