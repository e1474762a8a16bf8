"""Where msgspec cannot be imported, the names of arguments are checked still, and values stay as JSON has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jobcore import App, InvalidCall, MemoryStorage

if TYPE_CHECKING:
    from jobcore.app import Job


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setattr("jobcore.app._arguments.msgspec", None)
    return App(MemoryStorage())


@pytest.fixture
def work(app: App) -> Job[..., ..., Any]:
    @app.job
    def work(number: int, other: int = 5) -> None: ...

    return work


def test_values_are_passed_as_they_are(work: Job[..., ..., Any]) -> None:
    assert {"number": "one"} == work.unpack(b'{"number":"one"}')
    assert {"number": 1, "other": None} == work.unpack(b'{"number":1,"other":null}')


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"other":1}', "a required one is missing or an unknown one is given, of number"),
        (b'{"number":1,"third":2}', "a required one is missing or an unknown one is given, of other, third"),
        (b"[1]", "they are no JSON object"),
        (b"{}", "a required one is missing"),
    ],
)
def test_names_that_do_not_fit_are_refused(work: Job[..., ..., Any], raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidCall, match=rf"work\(\) does not take these arguments: {reason}"):
        work.unpack(raw)


def test_more_names_are_taken_where_the_function_takes_more(app: App) -> None:
    @app.job
    def work(number: int, **rest: int) -> None: ...

    assert {"number": 1, "third": "x"} == work.unpack(b'{"number":1,"third":"x"}')
