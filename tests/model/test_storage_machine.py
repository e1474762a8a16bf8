"""`MemoryStorage` against the model: whatever is done, in whatever order, both say the same.

The pools are small, so that ids, places and moments collide. Only plain calls are made, on virtual time; what waits is
the business of the conformance suite.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jobcore import MemoryStorage
from jobcore.errors import LeaseLost
from jobcore.jobs import Exponential, JobInfo, JobResult, Linear, NewJobInfo, ReturnJobInfo
from jobcore.testing import FakeClock, ModelStorage

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

OWN_IDS = [UUID(int=number) for number in range(1, 5)]
RUNNERS = st.sampled_from([UUID(int=100), UUID(int=200)])
QUEUES = st.sampled_from(["one", "two"])
DELAYS = st.sampled_from([None, None, timedelta(0), timedelta(seconds=1), timedelta(seconds=-1), timedelta.max])
# A lease lasts five intervals; the steps of time hit its end, miss it by a microsecond, and go far past it.
INTERVALS = st.sampled_from([timedelta(milliseconds=200), timedelta(seconds=1)])
STEPS = st.sampled_from([0.0, 0.000_001, 0.5, 1.0, 1.000_001, 5.0, 5.000_001, 100.0])
RESULTS = st.sampled_from([*JobResult, JobResult.FAILURE, JobResult.UNEXECUTED])
BACKOFFS = st.sampled_from([Linear(0), Linear(1), Exponential(2), Exponential(1e300)])
DELIVERIES = st.sampled_from([None, None, -1, 0, 0, 0, 1])
NEW_JOBS = st.builds(
    NewJobInfo,
    name=st.sampled_from("abc"),
    args=st.integers(0, 9),
    queue=QUEUES,
    priority=st.integers(-1, 1),
    max_retries=st.sampled_from([0, 1, 2, None]),
    backoff=BACKOFFS,
    heartbeat_interval=INTERVALS,
    next_queue=DELAYS,
    id=st.none() | st.sampled_from(OWN_IDS),
)


class StorageMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.storage = MemoryStorage(clock=self.clock, timer=self.clock)
        self.model = ModelStorage()
        self.known = list(OWN_IDS)

    def wall(self) -> int:
        return self.clock.time_ns() // 1000

    def monotonic(self) -> int:
        return self.clock.monotonic_ns() // 1000

    def delivery(self, job_id: UUID, offset: int | None) -> int | None:
        """A delivery of this job: none, the one of now (offset 0), or one beside it."""
        job = self.model.info(job_id)
        if offset is None or job is None:
            return None
        return max(0, job.delivery_count + offset)

    def both(self, model: Callable[[], T], storage: Callable[[], T]) -> T | str:
        """Do it to the model and to the storage: the same value, or the same refusal."""
        expected, actual = outcome(model), outcome(storage)
        assert expected == actual
        return actual

    def pop_both(self, queue: str, runner: UUID) -> JobInfo | str | None:
        return self.both(
            lambda: self.model.pop(queue, runner, self.wall(), self.monotonic()),
            lambda: self.storage.pop_nowait(queue, runner),
        )

    @rule(new=NEW_JOBS)
    def push(self, new: NewJobInfo) -> None:
        pushed = self.storage.push_nowait(new)
        assert pushed == self.model.push(new, self.wall(), pushed)
        if pushed not in self.known:
            assert new.id is None
            self.known.append(pushed)

    @rule(queue=QUEUES, runner=RUNNERS)
    def pop(self, queue: str, runner: UUID) -> None:
        self.pop_both(queue, runner)

    @rule(queue=QUEUES, runner=RUNNERS)
    def drain(self, queue: str, runner: UUID) -> None:
        """Pop everything that can be popped, in order."""
        while self.pop_both(queue, runner) is not None:
            continue

    @rule(data=st.data(), runner=RUNNERS, offset=DELIVERIES)
    def heartbeat(self, data: st.DataObject, runner: UUID, offset: int | None) -> None:
        job_id = data.draw(st.sampled_from(self.known))
        delivery = self.delivery(job_id, offset)
        self.both(
            lambda: self.model.heartbeat(job_id, runner, delivery, self.monotonic()),
            lambda: self.storage.heartbeat_nowait(job_id, runner, delivery),
        )

    @rule(
        data=st.data(),
        result=RESULTS,
        runner=st.none() | RUNNERS,
        offset=DELIVERIES,
        delay=DELAYS,
        error=st.sampled_from([None, "why"]),
    )
    def complete(
        self,
        data: st.DataObject,
        result: JobResult,
        runner: UUID | None,
        offset: int | None,
        delay: timedelta | None,
        error: str | None,
    ) -> None:
        job_id = data.draw(st.sampled_from(self.known))
        returned = ReturnJobInfo(job_id, result, runner, self.delivery(job_id, offset), delay, error)
        self.both(lambda: self.model.complete(returned, self.wall()), lambda: self.storage.complete_nowait(returned))

    @rule(seconds=STEPS)
    def pass_time(self, seconds: float) -> None:
        self.clock.skip(seconds)

    @rule(seconds=st.sampled_from([1.0, 100.0, -1.0, -50.0]))
    def set_the_wall_clock(self, seconds: float) -> None:
        self.clock.jump_wall(seconds)

    @invariant()
    def length_is_the_same(self) -> None:
        assert len(self.model) == len(self.storage)

    @invariant()
    def every_job_is_the_same(self) -> None:
        for job_id in self.known:
            expected: JobInfo | None = self.model.info(job_id)
            assert expected == self.storage.info_nowait(job_id)

    @invariant()
    def stats_are_the_same(self) -> None:
        assert self.model.stats() == self.storage.stats()


def outcome(call: Callable[[], T]) -> T | str:
    """What a call returns, or how it refuses."""
    try:
        return call()
    except LeaseLost as error:
        return repr(error)


TestStorageMachine = StorageMachine.TestCase
TestStorageMachine.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
