"""A completion that loses a race: somebody else removes the job between the look at it and the act."""

from __future__ import annotations

from uuid import UUID

import pytest

from jobcore import JobInfo, JobResult, MemoryStorage, NewJobInfo, ReturnJobInfo

ALICE = UUID(int=1)


class RacedStorage(MemoryStorage):
    """Somebody completes each job as soon as another completion has looked at it."""

    def info_nowait(self, job_id: UUID) -> JobInfo | None:
        job = super().info_nowait(job_id)
        self.complete_nowait(ReturnJobInfo(job_id, JobResult.SUCCESS))
        return job


@pytest.mark.parametrize("result", [JobResult.FAILURE, JobResult.UNEXECUTED, JobResult.UNREGISTERED])
def test_a_job_that_vanishes_counts_as_removed_and_missing(result: JobResult) -> None:
    storage = RacedStorage()
    storage.push_nowait(NewJobInfo("job"))
    job = storage.pop_nowait("default", ALICE)
    assert job is not None

    assert storage.complete_nowait(job.returned(result, ALICE))
    assert (0, 1) == (len(storage), storage.stats().missing)
