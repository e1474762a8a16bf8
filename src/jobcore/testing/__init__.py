"""For tests: a clock that a test moves, the jobs of an app carried out inline, and what tests a storage of your own.

    async with InlineJobs(app) as jobs:
        await thumbnail.push("cat.png")
        await jobs.run()
        assert jobs.succeeded

To test a storage, there are the contract as a model, and the suite that every storage passes:

    class TestMyStorage(StorageConformance):
        def open_storage(self, clock: FakeClock) -> MyStorage:
            return MyStorage(clock=clock)

`StorageConformance` is written for pytest and is imported when it is first asked for; the rest needs the standard
library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobcore.testing._clock import FakeClock, settle
from jobcore.testing._inline import InlineJobs
from jobcore.testing._model import ModelStorage

if TYPE_CHECKING:
    from jobcore.testing._conformance import StorageConformance

__all__ = ["FakeClock", "InlineJobs", "ModelStorage", "StorageConformance", "settle"]


def __getattr__(name: str) -> Any:
    if name != "StorageConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest  # noqa: PLC0415  (who uses the clock alone has no need of it)

    pytest.register_assert_rewrite(f"{__name__}._conformance")
    from jobcore.testing._conformance import StorageConformance  # noqa: PLC0415

    return StorageConformance
