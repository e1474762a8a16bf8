from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from jobcore import open_storage
from tests.postgres.server import Server, installations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobcore.storage import BatchStorage


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    found = installations()
    if not found:
        pytest.skip("there is no PostgreSQL here: `make pytest` installs one where the registry has it")
    with Server(found[-1], fsync="off") as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/jobs.db?synchronous=normal"
        return
    running: Server = request.getfixturevalue("server")
    dsn = running.create_database()
    yield dsn
    running.drop_database(dsn)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BatchStorage]:
    """One that is open, empty, and for any event loop."""
    if request.param == "postgresql":
        running: Server = request.getfixturevalue("server")
        url = running.create_database()
    else:
        url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/jobs.db?synchronous=normal"
    opened = open_storage(url)
    yield opened
    asyncio.run(opened.aclose())
    if request.param == "postgresql":
        running.drop_database(url)
