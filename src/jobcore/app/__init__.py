"""Jobs as typed functions: declared with an app, pushed from anywhere, carried out by workers."""

from jobcore.app._app import App
from jobcore.app._context import JobContext
from jobcore.app._events import JobEvent
from jobcore.app._job import Job
from jobcore.app._periodic import Every

__all__ = ["App", "Every", "Job", "JobContext", "JobEvent"]
