"""A batch for which there is no memory is not pushed at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from jobcore import JobResult, MemoryStorage, NewJobInfo, ReturnJobInfo

if TYPE_CHECKING:
    from collections.abc import Callable

ONE, TWO, THREE, FOUR = (UUID(int=number) for number in range(1, 5))


class ExhaustedStorage(MemoryStorage):
    """There is no memory for the job `THREE`; `meanwhile` is what others do as that shows."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def push_nowait(self, job: NewJobInfo) -> UUID:
        if job.id == THREE:
            self.meanwhile()
            raise MemoryError
        return super().push_nowait(job)


def left_of_a_batch(storage: MemoryStorage) -> set[UUID]:
    batch = [NewJobInfo("job", id=job_id) for job_id in (ONE, TWO, THREE, FOUR)]
    with pytest.raises(MemoryError):
        asyncio.run(storage.push_many(batch))
    return {job_id for job_id in (ONE, TWO, THREE, FOUR) if storage.info_nowait(job_id)}


def test_none_of_its_jobs_is_there_but_those_that_were_before() -> None:
    storage = ExhaustedStorage()
    storage.push_nowait(NewJobInfo("job", id=TWO))
    assert {TWO} == left_of_a_batch(storage)


def test_one_that_somebody_has_completed_meanwhile_keeps_no_other_there() -> None:
    storage = ExhaustedStorage()
    storage.meanwhile = lambda: storage.complete_nowait(ReturnJobInfo(ONE, JobResult.SUCCESS))
    assert set() == left_of_a_batch(storage)
