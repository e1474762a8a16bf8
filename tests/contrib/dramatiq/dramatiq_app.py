"""An application on dramatiq for the tests, with a worker in processes of its own."""

import os
import time
from pathlib import Path

import dramatiq

from jobcore.contrib.dramatiq import JobcoreBroker

folder = Path(os.environ["DRAMATIQ_FOLDER"])

broker = JobcoreBroker(f"sqlite:///{folder}/jobs.db?synchronous=normal", heartbeat_timeout=1000)
dramatiq.set_broker(broker)


@dramatiq.actor
def note(number: int) -> None:
    """Leave a file that says which process this is."""
    (folder / f"noted-{number}").write_text(str(os.getpid()))


@dramatiq.actor
def note_further(number: int) -> None:
    """Enqueue another message, delayed, from a process of the worker."""
    note.send_with_options(args=(number,), delay=50)


@dramatiq.actor
def hang_once() -> None:
    """Hang until killed, the first time; then say so."""
    begun = folder / "begun"
    if not begun.exists():
        begun.write_text(str(os.getpid()))
        time.sleep(600)
    (folder / "again").write_text(str(os.getpid()))
