"""Whatever the way to the server fails with, a caller is told what to do; a bug is not told as a lost server."""

from __future__ import annotations

import pytest

pytest.importorskip("asyncpg", reason="asyncpg is in the extra `postgres`")

import asyncpg

from jobcore import InvalidJob, StorageUnavailable
from jobcore.postgres.failures import ADVICE, told


@pytest.mark.parametrize("kind", ADVICE, ids=lambda kind: kind.__name__)
def test_the_advice_follows_the_reason(kind: type[Exception]) -> None:
    error = kind("no\n luck")
    unavailable = told(error)

    assert isinstance(unavailable, StorageUnavailable)
    assert f"no luck ({ADVICE[kind]})" == unavailable.reason
    assert error is unavailable.__cause__


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "the server does not answer"),
        (ConnectionRefusedError(), "ConnectionRefusedError"),
        (asyncpg.InterfaceError("closed"), "closed"),
        (asyncpg.PostgresSyntaxError("near x"), "near x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_comes_without_advice_has_its_own_words(error: Exception, reason: str) -> None:
    unavailable = told(error)
    assert isinstance(unavailable, StorageUnavailable)
    assert (reason, error) == (unavailable.reason, unavailable.__cause__)


def test_each_of_those_who_share_a_failure_gets_an_exception_of_its_own() -> None:
    cause = OSError("cut")
    shared = told(cause)
    assert isinstance(shared, StorageUnavailable)

    one, other = told(shared), told(shared)
    assert one is not other
    for error in (one, other):
        assert isinstance(error, StorageUnavailable)
        assert ("cut", cause) == (error.reason, error.__cause__)


@pytest.mark.parametrize(
    "error", [MemoryError(), InvalidJob("job", "is wrong")], ids=lambda value: type(value).__name__
)
def test_what_says_it_all_is_passed_on(error: Exception) -> None:
    assert error is told(error)


def test_a_bug_says_that_it_is_one() -> None:
    error = told(KeyError("x"))
    assert type(error) is RuntimeError
    assert "bug: KeyError('x')" == str(error)
