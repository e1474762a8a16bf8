"""Commands of other libraries, with the processes that they start: all of them end with the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 60


@contextmanager
def running(command: str, folder: Path, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m` this command, in this folder; what its processes write is in the log, and shown at the end."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command.split()],
            cwd=folder,
            env=os.environ | environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            kill(process)
        process.wait()
        sys.stdout.write(log.read_text())


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process, and all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def await_text(path: Path, text: str = "") -> str:
    """What is in the file, once it is there and says something, with this in it."""
    deadline = time.monotonic() + PATIENCE
    while not (path.exists() and (found := path.read_text()) and text in found):
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return found
