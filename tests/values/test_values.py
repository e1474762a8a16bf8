"""The values: checked where they are made, immutable, compared by value, printable, and JSON without loss."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcore import Exponential, InvalidJob, JobInfo, JobResult, LeaseLost, Linear, NewJobInfo, ReturnJobInfo

ID = UUID("01a20cc9-0000-7000-8000-000000000001")
RUNNER = UUID(int=7)
NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=50)
BACKOFFS = st.builds(Linear, st.integers(0, 1000) | st.floats(0, 1e9)) | st.builds(
    Exponential, st.integers(0, 10) | st.floats(0, 9), cap=st.none() | st.floats(0, 1e9), jitter=st.floats(0, 1)
)
MOMENTS = st.datetimes(timezones=st.just(UTC))
NEW_JOBS = st.builds(
    NewJobInfo,
    NAMES,
    st.none() | st.integers() | st.lists(st.text(st.characters(codec="utf-8")), max_size=3),
    queue=NAMES,
    priority=st.integers(-32768, 32767),
    max_retries=st.none() | st.integers(0, 2**31 - 1),
    backoff=BACKOFFS,
    heartbeat_interval=st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)),
    next_queue=st.none() | MOMENTS | st.timedeltas(),
    id=st.none() | st.uuids(),
)
COUNTS = st.integers(0, 2**31 - 1)
JOBS = st.builds(
    JobInfo.from_new,
    NEW_JOBS,
    st.uuids(),
    MOMENTS,
    retry_count=COUNTS,
    delivery_count=COUNTS,
    lost_count=COUNTS,
    last_error=st.none() | NAMES,
)


@given(NEW_JOBS)
def test_a_new_job_goes_through_json_without_loss(job: NewJobInfo) -> None:
    again = NewJobInfo.from_json(job.to_json())

    assert job == again == pickle.loads(pickle.dumps(job)) == copy.deepcopy(job)
    assert hash(job) == hash(again)
    assert (job.raw_args, job.backoff, job.next_queue, repr(job)) == (
        again.raw_args, again.backoff, again.next_queue, repr(again),
    )  # fmt: skip


@given(JOBS)
def test_a_stored_job_goes_through_json_without_loss(job: JobInfo) -> None:
    again = JobInfo.from_json(job.to_json().encode())

    assert job == again == pickle.loads(pickle.dumps(job)) == copy.copy(job)
    assert hash(job) == hash(again)
    assert (job.id, job.next_queue, repr(job)) == (again.id, again.next_queue, repr(again))


def test_a_stored_job_is_written_as_it_can_be_made() -> None:
    job = JobInfo(ID, "job", [1], queue="q", next_queue=NOW, retry_count=1, delivery_count=2, last_error="boom")

    assert job == JobInfo.from_new(
        NewJobInfo("job", [1], queue="q"), ID, NOW, retry_count=1, delivery_count=2, last_error="boom"
    )
    names = {"JobInfo": JobInfo, "UUID": UUID, "Exponential": Exponential, "datetime": dt}
    assert job == eval(repr(job), names)
    for field, wrong, is_type_error in (
        ("next_queue", NOW.replace(tzinfo=None), False),
        ("next_queue", timedelta(1), True),
        ("next_queue", None, True),
        ("retry_count", -1, False),
        ("id", "x", True),
        ("name", "", False),
    ):
        fields: dict[str, Any] = {"id": ID, "name": "job", "next_queue": NOW, field: wrong}
        with pytest.raises(InvalidJob, match=field) as refusal:
            JobInfo(**fields)
        assert is_type_error == isinstance(refusal.value, TypeError)


def test_a_stored_job_is_made_of_a_new_one_only() -> None:
    wrong: Any
    for wrong in ("job", None, ReturnJobInfo(ID, JobResult.SUCCESS)):
        with pytest.raises(InvalidJob, match="new must be a NewJobInfo") as refusal:
            JobInfo.from_new(wrong, ID, NOW)
        assert isinstance(refusal.value, TypeError)


def test_a_retry_is_prepared_for_an_aware_moment_only() -> None:
    job = JobInfo.from_new(NewJobInfo("job"), ID, NOW)
    wrong: Any
    for wrong in (NOW.replace(tzinfo=None), timedelta(1), 5):
        with pytest.raises(InvalidJob, match="now must be an aware datetime"):
            job.prepare_retry(wrong)


@given(st.uuids(), st.sampled_from(JobResult), st.none() | st.uuids(), st.none() | COUNTS, st.none() | st.timedeltas())
def test_a_returned_job_is_what_it_was_made_of(
    id: UUID, result: JobResult, runner: UUID | None, delivery: int | None, delay: timedelta | None
) -> None:
    back = ReturnJobInfo(id, result, runner, delivery, delay, "text")

    assert (id, result, runner, delivery, "text") == (back.id, back.result, back.runner_id, back.delivery, back.error)
    again = ReturnJobInfo(id, result, runner, delivery, delay, "text")
    assert back == again == pickle.loads(pickle.dumps(back))
    assert hash(back) == hash(again)
    who = f"runner_id={runner!r}, delivery={delivery!r}, delay={back.delay!r}, error='text'"
    assert f"ReturnJobInfo(id={id!r}, result={result!r}, {who})" == repr(back)


def test_a_change_of_any_field_makes_another_job() -> None:
    fields: dict[str, Any] = {
        "name": "other",
        "args": 1,
        "queue": "other",
        "priority": 1,
        "max_retries": None,
        "backoff": Linear(1),
        "heartbeat_interval": timedelta(seconds=1),
        "next_queue": NOW,
        "id": ID,
    }
    for field, value in fields.items():
        given_fields = {"name": "job", "args": None, field: value}
        assert NewJobInfo("job") != NewJobInfo(**given_fields)
    assert NewJobInfo("job", next_queue=timedelta(0)) != NewJobInfo("job")


@pytest.mark.parametrize("field", ["name", "args", "queue", "priority", "id", "raw_args", "nonsense"])
def test_nothing_can_be_set(field: str) -> None:
    job: Any
    for job in (NewJobInfo("job"), JobInfo.from_new(NewJobInfo("job"), ID, NOW)):
        with pytest.raises(AttributeError):
            setattr(job, field, 1)
    back: Any = ReturnJobInfo(ID, JobResult.SUCCESS)
    with pytest.raises(AttributeError):
        back.result = JobResult.DEAD


@pytest.mark.parametrize(
    ("field", "value", "is_type_error"),
    [
        ("name", "", False),
        ("name", "a\0b", False),
        ("name", "\ud800", False),
        ("name", "ä" * 32769, False),
        ("name", b"job", True),
        ("name", None, True),
        ("queue", "", False),
        ("queue", "q" * 256, False),
        ("queue", "ä" * 128, False),
        ("queue", 5, True),
        ("priority", 32768, False),
        ("priority", -32769, False),
        ("priority", 10**30, False),
        ("priority", 1.0, True),
        ("priority", True, True),
        ("priority", "1", True),
        ("max_retries", -1, False),
        ("max_retries", 2**31, False),
        ("max_retries", 10**30, False),
        ("max_retries", 1.5, True),
        ("max_retries", False, True),
        ("backoff", 2, True),
        ("backoff", None, True),
        ("heartbeat_interval", timedelta(microseconds=999), False),
        ("heartbeat_interval", timedelta(days=1, microseconds=1), False),
        ("heartbeat_interval", timedelta(seconds=-5), False),
        ("heartbeat_interval", 5, True),
        ("next_queue", NOW.replace(tzinfo=None), False),
        ("next_queue", 5, True),
        ("next_queue", "2026-01-01", True),
        ("id", str(ID), True),
        ("id", ID.int, True),
    ],
)
def test_what_no_storage_takes_is_refused(field: str, value: Any, is_type_error: object) -> None:
    fields = {"name": "job", field: value}
    with pytest.raises(InvalidJob, match=field) as refusal:
        NewJobInfo(**fields)
    assert is_type_error == isinstance(refusal.value, TypeError)


def test_the_largest_and_smallest_values_are_taken() -> None:
    job = NewJobInfo("ä" * 32768, queue="ä" * 127 + "q", priority=-32768, max_retries=2**31 - 1)
    assert (32768, 255, -32768) == (len(job.name), len(job.queue.encode()), job.priority)
    assert (
        timedelta(milliseconds=1) == NewJobInfo("job", heartbeat_interval=timedelta(milliseconds=1)).heartbeat_interval
    )


def test_a_due_time_past_the_end_of_time_is_the_end_of_time() -> None:
    moments = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
    for delay, moment in zip([timedelta.min, timedelta.max], moments, strict=True):
        due = NewJobInfo("job", next_queue=delay).due_at(0)
        assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=due)


@pytest.mark.parametrize(
    "arguments",
    [
        (str(ID), JobResult.SUCCESS),
        (ID, "success"),
        (ID, None),
        (ID, JobResult.SUCCESS, "runner"),
        (ID, JobResult.SUCCESS, RUNNER, "1"),
        (ID, JobResult.SUCCESS, RUNNER, 1, 5),
        (ID, JobResult.SUCCESS, RUNNER, 1, None, b"error"),
    ],
)
def test_a_returned_job_of_the_wrong_types_is_a_type_error(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        ReturnJobInfo(*arguments)


def test_other_time_zones_are_the_same_moment() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-7)))

    assert NewJobInfo("job", next_queue=NOW) == NewJobInfo("job", next_queue=there)
    assert NOW == NewJobInfo("job", next_queue=there).next_queue


def test_a_job_is_returned_by_its_id_runner_and_delivery() -> None:
    job = JobInfo.from_new(NewJobInfo("job"), ID, NOW, delivery_count=3)

    back = job.returned(JobResult.FAILURE, RUNNER, delay=timedelta(seconds=1), error="boom")
    assert back == ReturnJobInfo(ID, JobResult.FAILURE, RUNNER, 3, timedelta(seconds=1), "boom")
    assert ReturnJobInfo(ID, JobResult.UNEXECUTED) == job.unexecuted()


def test_an_error_text_that_no_storage_could_keep_is_escaped() -> None:
    back = ReturnJobInfo(ID, JobResult.FAILURE, error="a\0b\ud800c")
    assert back.error == "a\\x00b\\ud800c"


def test_an_id_of_its_due_time_sorts_by_it() -> None:
    early, late = (JobInfo.from_new(NewJobInfo("job"), ID, NOW + timedelta(seconds=s)) for s in (0, 1))

    assert early.next_queue_id() < late.next_queue_id()
    assert (7, early.next_queue_id().int >> 80) == (early.next_queue_id().version, int(NOW.timestamp() * 1000))
    assert early.next_queue_id() != early.next_queue_id()
    assert JobInfo.from_new(NewJobInfo("job"), ID, datetime(1960, 1, 1, tzinfo=UTC)).next_queue_id().int >> 80 == 0


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"args": 1}', '{"name": "job", "args": null}', b"\xff", f'{{"args":{"[" * 100_000}'],
    ids=lambda text: repr(text[:40]),
)
def test_another_text_is_no_job(text: Any) -> None:
    for kind in (NewJobInfo, JobInfo):
        with pytest.raises(InvalidJob):
            kind.from_json(text)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("backoff", {"quadratic": 2}, "backoff is not one that can be read"),
        ("backoff", {"linear": -1}, "backoff seconds must be finite and at least 0"),
        ("backoff", 5, "backoff is not one that can be read"),
        ("queue", "", "queue must not be empty"),
        ("priority", "high", "priority must be an int, not str"),
        ("heartbeat_interval_us", 0, "heartbeat_interval must be from"),
    ],
)
def test_a_text_with_a_field_that_no_job_has_is_refused_by_its_name(field: str, value: Any, reason: str) -> None:
    new = NewJobInfo("job")
    job: NewJobInfo | JobInfo
    for job in (new, JobInfo.from_new(new, ID, NOW)):
        text = json.dumps(json.loads(job.to_json()) | {field: value})
        with pytest.raises(InvalidJob, match=reason):
            type(job).from_json(text)


def test_a_lost_lease_is_told_with_the_job() -> None:
    lost = LeaseLost(ID)
    assert f"the lease of job {ID} is not yours (any more)" == str(lost)
    assert (str(lost), ID) == (str(again := pickle.loads(pickle.dumps(lost))), again.job_id)
