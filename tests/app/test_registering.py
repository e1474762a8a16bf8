"""What can become a job, and what is refused where it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

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
        {"timeout": -1},
        {"timeout": True},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": 10**400},
        {"timeout": timedelta(0)},
        {"executor": "fiber"},
        {"name": "a\0b"},
        {"name": ""},
        {"name": 5},
    ],
)
def test_options_that_no_job_can_have_are_refused(app: App, options: dict[str, Any]) -> None:
    def work() -> None: ...

    with pytest.raises(InvalidJob):
        app.job(**options)(work)
    assert {} == app.jobs


@pytest.mark.parametrize("option", [{"id": uuid4()}, {"next_queue": timedelta(1)}, {"args": 5}, {"retries": 5}])
def test_what_belongs_to_one_push_is_no_option_of_a_job(app: App, option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        app.job(**option)


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


def test_a_job_is_no_function_that_could_become_another_one(app: App) -> None:
    @app.job
    def work() -> None: ...

    wrong: Any = work
    with pytest.raises(InvalidJob, match=r"work\(\) is a job already"):
        app.job(name="other")(wrong)


def test_a_type_that_json_cannot_become_is_refused_where_the_job_is_declared(app: App) -> None:
    pytest.importorskip("msgspec")

    def work(value: dict[tuple[int, ...], complex] | list[int] | set[int]) -> None: ...

    with pytest.raises(InvalidJob, match="annotated"):
        app.job(work)


def test_a_storage_is_a_storage_or_a_url() -> None:
    wrong: Any
    for wrong in (5, None, b"memory://", MemoryStorage):
        with pytest.raises(InvalidJob, match="storage must be a storage or the URL of one") as refusal:
            App(wrong)
        assert isinstance(refusal.value, TypeError)
        with pytest.raises(InvalidJob, match="storage must be a storage"), App("memory://").using(wrong):
            pass
    with pytest.raises(ValueError, match="scheme"):
        App("nowhere://").storage  # noqa: B018


@pytest.mark.parametrize("wrong", [5, "trace", [lambda: None]])
def test_what_an_app_calls_is_a_function(app: App, wrong: Any) -> None:
    for use in (
        lambda: App(MemoryStorage(), lifespan=wrong),
        lambda: App(MemoryStorage(), middleware=[wrong]),
        lambda: app.middleware(wrong),
        lambda: app.on("dead")(wrong),
    ):
        with pytest.raises(InvalidJob, match="must be a function, not") as refusal:
            use()
        assert isinstance(refusal.value, TypeError)
    assert ([], {}) == (app.middlewares, app.handlers)


def test_middleware_comes_in_a_sequence() -> None:
    async def alone(ctx: JobContext, call_next: Any) -> Any: ...

    wrong: Any = alone
    with pytest.raises(InvalidJob, match="middleware must be a sequence of functions, not function"):
        App(MemoryStorage(), middleware=wrong)


def test_a_periodic_push_is_one_of_a_job_at_an_interval(app: App) -> None:
    @app.job
    def work() -> None: ...

    wrong: Any
    for wrong in (5, 0.5, None, timedelta(0), timedelta(-1)):
        with pytest.raises(InvalidJob, match="interval"):
            app.every(wrong, work)
    for wrong in (work.function, "work", None):
        with pytest.raises(InvalidJob, match="job must be a job of an app") as refusal:
            app.every(timedelta(1), wrong)
        assert isinstance(refusal.value, TypeError)


def test_the_options_of_a_job_are_those_of_what_it_pushes(app: App) -> None:
    options: dict[str, Any] = {"queue": "mail", "priority": 3, "max_retries": None, "backoff": Linear(1)}

    @app.job(heartbeat_interval=timedelta(seconds=1), **options)
    def send() -> None: ...

    new = send.new()
    assert ("send", "mail", 3, None, Linear(1)) == (new.name, new.queue, new.priority, new.max_retries, new.backoff)
    assert timedelta(seconds=1) == new.heartbeat_interval
