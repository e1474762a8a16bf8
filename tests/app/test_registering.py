"""What can become a job, and what is refused where it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobcore import App, InvalidCall, InvalidJob, JobContext, Linear, MemoryStorage


@pytest.fixture
def app() -> App:
    return App(MemoryStorage())


def test_calling_a_job_just_calls_the_function(app: App) -> None:
    @app.job
    def add(left: int, right: int = 1) -> int:
        """Add."""
        return left + right

    assert 5 == add(2, 3)
    assert 3 == add(2)
    assert ("add", "Add.", "default") == (add.name, add.__doc__, add.queue)
    assert add is app.jobs["add"]


def test_a_name_is_taken_once(app: App) -> None:
    def work() -> None: ...

    app.job(name="one")(work)
    app.job(name="two")(work)
    with pytest.raises(InvalidJob, match="'one' is taken by"):
        app.job(name="one")(work)


def test_parameters_without_a_name_in_json_are_refused(app: App) -> None:
    def positional(value: int, /) -> None: ...
    def starred(*values: int) -> None: ...
    def late(value: int, ctx: JobContext) -> None: ...

    for function in (positional, starred, late):
        with pytest.raises(InvalidCall):
            app.job(function)
    assert {} == app.jobs


@pytest.mark.parametrize(
    "options",
    [
        {"queue": ""},
        {"priority": 40_000},
        {"max_retries": -1},
        {"backoff": 2},
        {"heartbeat_interval": timedelta(0)},
        {"timeout": 0},
        {"timeout": "1 s"},
        {"timeout": float("nan")},
        {"executor": "fiber"},
        {"name": "a\0b"},
    ],
)
def test_options_that_no_job_can_have_are_refused(app: App, options: dict[str, Any]) -> None:
    def work() -> None: ...

    with pytest.raises(InvalidJob):
        app.job(**options)(work)
    assert {} == app.jobs


def test_an_async_function_takes_no_executor_and_a_process_no_context(app: App) -> None:
    async def asynchronous() -> None: ...
    def with_context(ctx: JobContext) -> None: ...

    with pytest.raises(InvalidJob, match="async"):
        app.job(executor="thread")(asynchronous)
    with pytest.raises(InvalidCall, match="JobContext"):
        app.job(executor="process")(with_context)


@pytest.mark.parametrize("wrong", [5, None, "work", object()])
def test_what_is_no_function_is_no_job(app: App, wrong: Any) -> None:
    with pytest.raises(InvalidJob):
        app.job(name="wrong")(wrong)


def test_a_type_that_json_cannot_become_is_refused_where_the_job_is_declared(app: App) -> None:
    pytest.importorskip("msgspec")

    def work(value: dict[tuple[int, ...], complex] | list[int] | set[int]) -> None: ...

    with pytest.raises(InvalidJob, match="annotated"):
        app.job(work)


def test_a_storage_is_a_storage_or_a_url() -> None:
    wrong: Any = 5
    with pytest.raises(InvalidJob, match="storage"):
        App(wrong)
    with pytest.raises(ValueError, match="scheme"):
        App("nowhere://").storage  # noqa: B018


def test_the_options_of_a_job_are_those_of_what_it_pushes(app: App) -> None:
    options: dict[str, Any] = {"queue": "mail", "priority": 3, "max_retries": None, "backoff": Linear(1)}

    @app.job(heartbeat_interval=timedelta(seconds=1), **options)
    def send() -> None: ...

    new = send.new()
    assert ("send", "mail", 3, None, Linear(1)) == (new.name, new.queue, new.priority, new.max_retries, new.backoff)
    assert timedelta(seconds=1) == new.heartbeat_interval
