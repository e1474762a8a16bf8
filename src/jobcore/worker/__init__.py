"""Workers: they pop jobs, keep their leases, carry them out and hand them back."""

from jobcore.worker._worker import Worker

__all__ = ["Worker"]
