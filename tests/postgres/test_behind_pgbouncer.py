"""Behind a pooler, with `listen=False`, in whichever mode; without it, the error names it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Literal

import pytest

from jobcore import NewJobInfo, PostgresStorage, StorageUnavailable
from tests.postgres.load import Load, check
from tests.postgres.server import AS_USER, PATIENCE, Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres.server import Server

    Mode = Literal["session", "transaction"]

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/bin:/opt/homebrew/bin")
CONFIGURATION = """
[databases]
* = host={server} port=5432
[pgbouncer]
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
logfile = {folder}/log
pidfile = {folder}/pid
"""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")


@pytest.fixture
def behind(server: Server, dsn: str) -> Iterator[Callable[[Mode, int], str]]:
    """The URL of the database through a pooler in this mode, with so many connections."""
    folder = Folder()
    started: list[subprocess.Popen[bytes]] = []

    def begin(mode: Mode, size: int) -> str:
        assert PROGRAM
        text = CONFIGURATION.format(server=server.socket_folder, folder=folder.path, mode=mode, size=size)
        (folder.path / "configuration").write_text(text)
        (folder.path / "users").write_text('"postgres" ""\n')
        started.append(
            subprocess.Popen((PROGRAM, "-q", folder.path / "configuration"), stderr=subprocess.DEVNULL, **AS_USER)
        )
        deadline = time.monotonic() + PATIENCE
        while not (folder.path / ".s.PGSQL.6432").exists():
            assert started[0].poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return dsn.replace(str(server.socket_folder).replace("/", "%2F"), str(folder.path)).replace("5432", "6432")

    yield begin
    for process in started:
        process.kill()
        process.wait()
    folder.remove()


async def work(*storages: PostgresStorage) -> None:
    journal: list[str] = []
    loads = [
        Load(storage, seed, lambda *facts: journal.append(" ".join(map(str, facts))))
        for seed, storage in enumerate(storages)
    ]
    await asyncio.gather(*(load.run(asyncio.sleep(0.7)) for load in loads))
    assert check(journal, left=()) > 10


@pytest.mark.parametrize(("mode", "size"), [("transaction", 3), ("session", 20)])
def test_several_storages_work_there(behind: Callable[[Mode, int], str], mode: Mode, size: int) -> None:
    async def scene() -> None:
        storages = [PostgresStorage(url, listen=False) for url in 4 * [behind(mode, size)]]
        try:
            await work(*storages)
        finally:
            for storage in storages:
                await storage.aclose()

    asyncio.run(scene())


def test_many_that_open_at_once_make_one_schema(behind: Callable[[Mode, int], str]) -> None:
    async def scene() -> None:
        storages = [PostgresStorage(url, listen=False) for url in 8 * [behind("transaction", 4)]]
        await asyncio.gather(*(storage.push(NewJobInfo("job")) for storage in storages))
        assert 8 == (await storages[0].stats()).jobs
        for storage in storages:
            await storage.aclose()

    asyncio.run(scene())


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_who_would_listen_there_is_told_not_to(behind: Callable[[Mode, int], str], mode: Mode) -> None:
    async def scene() -> None:
        with pytest.raises(StorageUnavailable, match="listen=False"):
            await PostgresStorage(behind(mode, 3)).push(NewJobInfo("job"))

    asyncio.run(scene())
