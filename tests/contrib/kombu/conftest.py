"""Connections over both kinds of brokers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("kombu", reason="kombu is not installed")

from kombu import Connection

from jobcore.contrib.kombu import _transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(_transport, "_brokers", {})
    return "jobcore+memory://" if request.param == "memory" else f"jobcore+sqlite:///{tmp_path}/queues.db"


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., Connection]]:
    """Another connection to the same messages."""
    with ExitStack() as stack:

        def connected(**options: Any) -> Connection:
            return stack.enter_context(Connection(url, **options))

        yield connected


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()
