"""A worker is checked where it is made: what it could not work with is refused in clear words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from jobcore import App, InvalidJob, MemoryStorage, Worker


@pytest.mark.parametrize(
    ("argument", "value", "is_type_error"),
    [
        ("grace", "soon", True),
        ("grace", None, True),
        ("grace", True, True),
        ("grace", -1, False),
        ("grace", timedelta(seconds=-1), False),
        ("grace", float("nan"), False),
        ("grace", float("inf"), False),
        ("grace", 10**400, False),
        ("max_lost", "5", True),
        ("max_lost", None, True),
        ("max_lost", 5.0, True),
        ("max_lost", True, True),
        ("max_lost", -1, False),
        ("max_lost", 2**31, False),
        ("max_lost", 10**400, False),
        ("runner_id", "me", True),
        ("runner_id", 5, True),
        ("app", "module:app", True),
        ("app", MemoryStorage(), True),
        ("queues", ["default"], True),
        ("queues", {}, False),
    ],
)
def test_an_argument_that_makes_no_sense_is_named(argument: str, value: Any, is_type_error: object) -> None:
    arguments: dict[str, Any] = {"app": App(MemoryStorage()), argument: value}
    with pytest.raises(InvalidJob, match=argument) as refusal:
        Worker(**arguments)
    assert is_type_error == isinstance(refusal.value, TypeError)


def test_a_grace_is_a_timedelta_or_seconds_and_may_be_none_at_all() -> None:
    app = App(MemoryStorage())
    graces = [Worker(app, grace=grace).grace for grace in (timedelta(minutes=1), 2, 0.5, 0)]
    assert [60.0, 2.0, 0.5, 0.0] == graces


def test_a_runner_may_have_an_id_of_ones_own() -> None:
    app, own = App(MemoryStorage()), uuid4()
    assert own == Worker(app, runner_id=own).runner_id
    assert Worker(app).runner_id != Worker(app).runner_id
