"""A message of taskiq as a job, there and back.

The bytes are taskiq's serializer's business. Those that are UTF-8, as JSON is, are kept as a string, so that a job
can be read by whoever looks at it; others in base64. The arguments of a job that something else pushed are handed to
taskiq as the JSON text that they are.

The id of a job is not that of the task: a task that is sent again from within (a retry, `Context.requeue`) keeps its
id, while the message that it came from is still there.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import timedelta
from typing import TYPE_CHECKING

from jobcore.jobs import NewJobInfo

if TYPE_CHECKING:
    from taskiq import BrokerMessage

    from jobcore.jobs import JobInfo


def job_of(message: BrokerMessage, queue: str, heartbeat_interval: timedelta) -> NewJobInfo:
    """The job to push. Its labels may name its `queue_name`, its `delay` in seconds and its `priority`.

    Raises `ValueError` for labels that say none, `InvalidJob` among them.
    """
    labels = message.labels
    delay = labels.get("delay")
    priority = labels.get("priority")
    return NewJobInfo(
        message.task_name,
        _args_of(message.message),
        queue=labels.get("queue_name") or queue,
        priority=0 if priority is None else int(priority),
        heartbeat_interval=heartbeat_interval,
        next_queue=None if delay is None else timedelta(seconds=float(delay)),
    )


def data_of(job: JobInfo) -> bytes:
    """The bytes of the message."""
    args = job.args
    if type(args) is str:
        return args.encode()
    match args:
        case {"base64": str(text)}:
            return b64decode(text)
        case _:
            return job.raw_args


def _args_of(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}
