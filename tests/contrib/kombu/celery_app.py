"""A Celery application for the tests, with a worker in processes of its own."""

import os
import time
from pathlib import Path

from celery import Celery

folder = Path(os.environ["CELERY_FOLDER"])

app = Celery("tests")
app.conf.update(
    broker_url=f"sqlite:///{folder}/queues.db",
    broker_transport="jobcore.contrib.kombu:Transport",
    broker_transport_options={"heartbeat_interval": 0.2, "synchronous": "normal"},
    broker_connection_retry_on_startup=True,
    result_backend=f"file://{folder}/results",
    worker_hijack_root_logger=False,
)


@app.task
def add(x: int, y: int) -> int:
    """Two numbers added, in a process of the worker."""
    return x + y


@app.task
def add_further(x: int) -> str:
    """Publish another task, from the child of a worker."""
    return str(add.delay(x, 1).id)


@app.task(acks_late=True)
def hang_once() -> str:
    """Hang until killed, the first time; then say how it was delivered."""
    started = folder / "started"
    if not started.exists():
        started.write_text("yes")
        time.sleep(600)
    return "redelivered" if hang_once.request.delivery_info["redelivered"] else "delivered"
