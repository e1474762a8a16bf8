from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import asyncpg
import pytest

if TYPE_CHECKING:
    from tests.postgres.server import Installation, Server


async def value(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def test_a_database_is_empty_and_of_the_version_asked_for(server: Server, dsn: str) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    assert 0 == asyncio.run(value(dsn, tables))
    assert server.version == asyncio.run(value(dsn, "SELECT current_setting('server_version_num')::int / 10000"))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_what_was_committed_outlives_a_restart(own_server: Server, mode: Literal["fast", "immediate"]) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(own_server.dsn())
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        own_server.restart(mode)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT answer FROM kept")
        assert 42 == await value(own_server.dsn(), "SELECT answer FROM kept")

    asyncio.run(ask())


def test_a_paused_server_answers_when_it_goes_on(own_server: Server) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(own_server.dsn())
        own_server.pause()
        asking = asyncio.create_task(connection.fetchval("SELECT 42"))
        assert not (await asyncio.wait([asking], timeout=0.2))[0]
        own_server.resume()
        assert 42 == await asking
        await connection.close()

    asyncio.run(ask())


def test_a_server_does_not_outlive_killed_tests(installation: Installation) -> None:
    script = """if True:
        import sys, time
        from pathlib import Path
        from tests.postgres.server import Installation, Server
        print(Server(Installation(int(sys.argv[1]), Path(sys.argv[2]))).socket_folder, flush=True)
        time.sleep(60)
    """
    command = (sys.executable, "-c", script, str(installation.major), installation.binaries)
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as tests:
        assert tests.stdout
        folder = Path(tests.stdout.readline().strip())
        process = (folder / "data" / "postmaster.pid").read_text().split()[0]
        tests.kill()
    deadline = time.monotonic() + 30
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    state = subprocess.run(["ps", "-p", process, "-o", "stat="], capture_output=True, text=True, check=False).stdout
    assert state[:1] in {"", "Z"}
