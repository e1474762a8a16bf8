"""Which annotations are found: string ones, local ones, and names that only type checkers know."""

from __future__ import annotations

import asyncio
import functools
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import App, InvalidCall, InvalidJob, MemoryStorage

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from jobcore import JobContext
    from jobcore.app import Job

LAZY = """
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID
    from jobcore import JobContext


def work(ctx: JobContext, at: Later, many: list[Later], maybe: Later | None = None) -> UUID: ...
def pay(amount: Decimal) -> None: ...
"""
MOMENT = datetime(2031, 1, 1)  # noqa: DTZ001  (a plain value)


@pytest.fixture
def app() -> App:
    return App(MemoryStorage())


def unpacked(job: Job[..., ..., Any], *args: Any, **kwargs: Any) -> Any:
    return job.unpack(job.new(*args, **kwargs).raw_args)


def test_a_context_and_a_result_may_be_known_to_type_checkers_only(app: App) -> None:
    pytest.importorskip("msgspec")

    @app.job
    async def work(ctx: JobContext, at: datetime) -> UUID:
        raise NotImplementedError

    assert work.wants_context
    assert {"at": MOMENT} == unpacked(work, MOMENT)


@pytest.mark.parametrize("with_options", [False, True])
def test_a_type_may_be_local_to_the_function_that_declares_the_job(app: App, with_options: bool) -> None:  # noqa: FBT001
    pytest.importorskip("msgspec")

    @dataclass
    class Point:
        x: int

    def work(point: Point) -> None: ...

    job: Any = app.job(name="work")(work) if with_options else app.job(work)
    assert {"point": Point(1)} == unpacked(job, Point(1))


def test_a_type_may_be_declared_further_down(app: App) -> None:
    pytest.importorskip("msgspec")

    @app.job
    def work(later: Later) -> None: ...

    assert {"later": Later(1)} == unpacked(work, Later(1))


@dataclass
class Later:
    x: int


def test_a_parameter_that_only_type_checkers_know_is_named(app: App) -> None:
    pytest.importorskip("msgspec")

    @app.job
    def work(price: Decimal) -> None: ...

    with pytest.raises(InvalidCall, match=r"work\(\) .*'Decimal' is not defined"):
        unpacked(work, 1)


def test_named_arguments_beyond_the_named_parameters_are_converted_too(app: App) -> None:
    pytest.importorskip("msgspec")

    @app.job
    def work(first: int, **rest: datetime) -> None: ...

    assert {"first": 1, "a": MOMENT} == unpacked(work, 1, a=MOMENT)
    with pytest.raises(InvalidCall):
        unpacked(work, 1, a="no date")


def test_parameters_may_have_any_name(app: App) -> None:
    def work(*, self: int, interval: int, job: int, name: int) -> int:
        return self + interval + job + name

    job: Any = app.job(work)
    call = {"self": 1, "interval": 2, "job": 3, "name": 4}
    assert call == job.new(**call).args
    assert call == job.options(priority=1).new(**call).args
    assert 10 == job(**call)

    async def scenario() -> None:
        await job.push(**call)
        job.push_nowait(**call)
        await job.push_many([call])
        app.every(timedelta(1), job, **call).cancel()

    asyncio.run(scenario())


def test_a_callable_that_is_no_function_is_refused_in_clear_words(app: App) -> None:
    class Callable:
        def __call__(self, number: int) -> None: ...

    for wrong in (Callable(), functools.partial(print)):
        with pytest.raises(InvalidJob, match="must be a function"):
            app.job(wrong)
        with pytest.raises(InvalidJob, match="must be a function"):
            app.job(name="work")(wrong)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated at once before 3.14")
def test_annotations_that_are_evaluated_late_are_found_as_strings_are(app: App) -> None:
    pytest.importorskip("msgspec")
    names: dict[str, Any] = {"__name__": "later"}
    exec(compile(LAZY, "later.py", "exec", dont_inherit=True), names)
    work, pay = app.job(names["work"]), app.job(names["pay"])
    names["Later"] = datetime

    assert work.wants_context
    assert {"at": MOMENT, "many": [MOMENT], "maybe": MOMENT} == unpacked(work, MOMENT, [MOMENT], MOMENT)
    with pytest.raises(InvalidCall, match="cannot be resolved: name 'Decimal' is not defined"):
        unpacked(pay, 5)


def test_a_function_that_does_not_tell_its_parameters_is_refused(app: App) -> None:
    with pytest.raises(InvalidCall, match=r"max.* has parameters that Python does not tell"):
        app.job(max)
