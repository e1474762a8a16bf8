"""Jobs as typed functions: declared with an app, pushed from anywhere, carried out by workers."""

from typing import TYPE_CHECKING

from jobcore.app._app import App, CallNext, Middleware
from jobcore.app._context import JobContext
from jobcore.app._events import JobEvent
from jobcore.app._job import Job, Pusher
from jobcore.app._periodic import Every

if TYPE_CHECKING:
    from jobcore.app._blocking import Blocking

__all__ = ["App", "Blocking", "CallNext", "Every", "Job", "JobContext", "JobEvent", "Middleware", "Pusher"]


def __getattr__(name: str) -> object:
    if name == "Blocking":
        from jobcore.app._blocking import Blocking  # noqa: PLC0415  (only it needs anyio)

        return Blocking
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
