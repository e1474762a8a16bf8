"""How long a failed job rests: the k-th retry, its jitter, its cap, and the end of time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcore import Exponential, InvalidJob, JobInfo, Linear, NewJobInfo
from jobcore.jobs import Backoff

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def a_job(backoff: Backoff, retry_count: int = 0, max_retries: int | None = None) -> JobInfo:
    new = NewJobInfo("job", backoff=backoff, max_retries=max_retries)
    return JobInfo.from_new(new, UUID(int=1), NOW, retry_count=retry_count)


def rests(backoff: Backoff, times: int) -> list[float]:
    job = a_job(backoff)
    found = []
    for _ in range(times):
        retry = job.prepare_retry(NOW)
        assert retry is not None
        found.append((retry.next_queue - NOW).total_seconds())
        job = retry
    return found


def test_each_backoff_rests_as_it_says() -> None:
    assert [2, 4, 8, 16, 32] == rests(Exponential(2), 5)
    assert [1.5, 2.25] == rests(Exponential(1.5), 2)
    assert [3, 9, 10, 10] == rests(Exponential(3, cap=10), 4)
    assert [0.25, 0.25] == rests(Linear(0.25), 2)
    assert [0, 0] == rests(Linear(0), 2)


@given(st.floats(0, 1), st.integers(1, 20), st.none() | st.floats(0, 1e6))
def test_jitter_moves_the_rest_by_its_share_and_never_past_the_cap(
    jitter: float, attempt: int, cap: float | None
) -> None:
    rest = Exponential(2, cap=cap, jitter=jitter).delay(attempt)

    limit = math.inf if cap is None else cap
    assert min(limit, 2**attempt * (1 - jitter)) <= rest <= min(limit, 2**attempt * (1 + jitter))


def test_what_overflows_ends_at_the_latest_date() -> None:
    for backoff, count in ((Exponential(2), 5000), (Exponential(10.0), 400), (Linear(1e300), 0)):
        retry = a_job(backoff, count).prepare_retry(NOW)
        assert retry is not None
        assert datetime.max.replace(tzinfo=UTC) == retry.next_queue


def test_n_retries_are_n_plus_one_executions() -> None:
    assert a_job(Linear(1), 4, max_retries=5).prepare_retry(NOW) is not None
    assert a_job(Linear(1), 5, max_retries=5).prepare_retry(NOW) is None
    assert a_job(Linear(1), 0, max_retries=0).prepare_retry(NOW) is None
    assert a_job(Linear(1), 10**6, max_retries=None).prepare_retry(NOW) is not None


def test_a_delay_takes_the_place_of_the_backoff() -> None:
    retry = a_job(Exponential(2)).prepare_retry(NOW, delay=timedelta(seconds=7), error="boom")
    assert retry is not None
    assert (NOW + timedelta(seconds=7), 1, "boom") == (retry.next_queue, retry.retry_count, retry.last_error)


def test_backoffs_are_values() -> None:
    assert Exponential(2) == Exponential(2.0) != Exponential(2, cap=5)
    assert 1 == len({Linear(1), Linear(1.0)})
    assert "Exponential(base=2, cap=60, jitter=0.1)" == repr(Exponential(2, cap=60, jitter=0.1))
    assert "Linear(seconds=5)" == repr(Linear(5))
    backoffs: list[Backoff] = [Linear(5), Exponential(5)]
    assert backoffs[0] != backoffs[1]
    assert NewJobInfo("job", backoff=Exponential(2)) == NewJobInfo("job", backoff=Exponential(2.0))
    broken: Any = Linear(5)
    with pytest.raises(AttributeError):
        broken.seconds = 6


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf, 10**400, "2", None, True])
def test_numbers_that_are_no_rest_are_refused(wrong: Any) -> None:
    for make in (Linear, Exponential, lambda value: Exponential(2, jitter=value)):
        with pytest.raises(InvalidJob):
            make(wrong)
    if wrong is not None:
        with pytest.raises(InvalidJob):
            Exponential(2, cap=wrong)
    with pytest.raises(InvalidJob):
        Exponential(2, jitter=1.1)


def test_a_backoff_of_ones_own_is_refused_since_no_job_could_carry_it() -> None:
    class Mine(Backoff):
        def delay(self, attempt: int) -> float:
            return float(attempt)

    with pytest.raises(InvalidJob, match="backoff"):
        NewJobInfo("job", backoff=Mine())
    nothing: Any = Backoff
    with pytest.raises(TypeError):
        nothing()
