"""Arguments: what JSON can say is taken and comes back; what it cannot say is refused at construction."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcore import InvalidJob, NewJobInfo

TEXTS = st.text(st.characters(codec="utf-8"))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(PLAIN)
def test_plain_values_come_back(args: Any) -> None:
    job = NewJobInfo("job", args)

    assert args == job.args
    assert args == json.loads(job.raw_args)


@pytest.mark.parametrize(
    "args",
    [
        math.nan,
        math.inf,
        -math.inf,
        [math.nan],
        {"a": {"b": [1, (2, math.inf)]}},
        {math.nan: 1},
        {math.inf: 1},
        {"a": {-math.inf: None}},
        {"null": None, "x": math.nan},
    ],
)
def test_what_is_not_finite_is_refused_wherever_it_is(args: Any) -> None:
    with pytest.raises(InvalidJob, match="args"):
        NewJobInfo("job", args)


@pytest.mark.parametrize("args", ["null", "nan", {"nan": 1}, {"inf": "-inf"}, ["null", None], "finance n nu nul", "n"])
def test_words_that_look_like_them_are_not(args: Any) -> None:
    assert args == NewJobInfo("job", args).args


@pytest.mark.parametrize("args", [object(), print, {1: object()}, [{"a": lambda: None}], {"a": 1j}])
def test_what_json_cannot_say_is_a_type_error(args: Any) -> None:
    with pytest.raises(InvalidJob, match="args") as refusal:
        NewJobInfo("job", args)
    assert isinstance(refusal.value, TypeError)


def test_lone_surrogates_and_bottomless_values_are_refused() -> None:
    bottomless: list[Any] = []
    bottomless.append(bottomless)
    for args in ("\ud800", {"\udfff": 1}, bottomless):
        with pytest.raises(InvalidJob, match="args"):
            NewJobInfo("job", args)


@pytest.mark.parametrize("args", [2**64, -(2**64), 10**300, 5e-324, 1.7976931348623157e308, -0.0])
def test_numbers_come_back_whatever_their_size(args: Any) -> None:
    assert args == NewJobInfo("job", args).args


def test_arguments_that_are_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobcore.jobs._new.MAX_ARGS_BYTES", 10)
    assert "x" * 8 == NewJobInfo("job", "x" * 8).args
    with pytest.raises(InvalidJob, match="args must have at most 10 bytes of JSON, not 11"):
        NewJobInfo("job", "x" * 9)


def test_arguments_are_encoded_once() -> None:
    args = {"list": [1]}
    job = NewJobInfo("job", args)
    args["list"].append(2)
    job.args["list"].append(3)

    assert {"list": [1]} == job.args
    assert job.args is not job.args
