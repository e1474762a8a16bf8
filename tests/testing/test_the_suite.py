"""What the suite for storages tells whoever runs it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import MemoryStorage, testing
from jobcore.testing import FakeClock, StorageConformance

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore import JobInfo


class StorageThatHangs(MemoryStorage):
    """It does not know that it was forked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._process = os.getpid()

    async def info(self, job_id: UUID) -> JobInfo | None:
        if os.getpid() != self._process:
            time.sleep(3600)  # noqa: ASYNC251  (as on a lock that a thread of the parent holds)
        return await super().info(job_id)


class TestOfTheSuite(StorageConformance):
    __test__ = False
    guard = 2.0

    def open_storage(self, clock: FakeClock) -> MemoryStorage:
        return StorageThatHangs(clock=clock, timer=clock)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_storage_that_hangs_in_a_forked_child_fails_in_clear_words() -> None:
    with pytest.raises(pytest.fail.Exception, match="a call of the forked child hangs"):
        TestOfTheSuite().test_a_forked_child_is_refused()


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = testing.Nothing
