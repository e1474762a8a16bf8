"""The tests run on the oldest and on the newest PostgreSQL found; `POSTGRES=18` or `POSTGRES=newest` asks for one.

Those that are slow, and about the way to the server rather than the server, run on the newest alone unless one is asked
for (`ONCE`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.postgres.server import Installation, Server, installations

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED = os.environ.get("POSTGRES")
FOUND = [one for one in installations() if ASKED in {None, "newest", str(one.major)}]
CHOSEN: list[Installation | None] = [*sorted({*(FOUND[:1] if ASKED != "newest" else ()), *FOUND[-1:]})] or [None]


ONCE = {"test_faults_under_load", "test_lost_answers"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def repeats(item: pytest.Item) -> bool:
        parameters = getattr(item, "callspec", None)
        return item.path.stem in ONCE and parameters is not None and parameters.params.get("installation") != CHOSEN[-1]

    if again := [item for item in items if repeats(item)]:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in again]


@pytest.fixture(scope="session", params=CHOSEN, ids=lambda one: f"postgres {one.major}" if one else "no postgres")
def installation(request: pytest.FixtureRequest) -> Installation:
    if request.param is None:
        pytest.skip(f"there is no PostgreSQL {ASKED or ''} here: `make pytest` installs one where the registry has it")
    assert isinstance(request.param, Installation)
    return request.param


@pytest.fixture(scope="session")
def server(installation: Installation) -> Iterator[Server]:
    """One for all tests. Nothing waits for the disk: what the operating system was given outlives every process."""
    with Server(installation, fsync="off") as running:
        yield running


@pytest.fixture
def dsn(server: Server) -> Iterator[str]:
    """The URL of an empty database."""
    fresh = server.create_database()
    yield fresh
    server.drop_database(fresh)


@pytest.fixture
def own_server(installation: Installation) -> Iterator[Server]:
    """A server of the test's own, with the defaults of durability, to restart and to pause."""
    with Server(installation) as running:
        yield running
