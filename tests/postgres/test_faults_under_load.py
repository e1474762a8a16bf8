"""Whatever becomes of the server and of the way to it: under load nothing is lost, and nothing is leased twice."""

from __future__ import annotations

import asyncio
import os
import random
from functools import partial
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import asyncpg
import pytest

from jobcore import App, PostgresStorage, Worker
from tests.postgres.load import INTERVAL, Load, check, insisting
from tests.postgres.proxy import Fate, Proxy, Way

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.postgres.server import Server

CHANCE = random.Random(7)
TIMES = int(os.environ.get("TIMES", "2"))
"""How often each fault strikes; more of them take minutes."""


async def bear(url: str, faults: Callable[[], Awaitable[None]]) -> None:
    journal: list[str] = []
    async with PostgresStorage(url) as storage:

        async def under_load() -> None:
            await asyncio.sleep(0.3)
            await faults()
            await asyncio.sleep(0.3)

        await Load(storage, 1, lambda *facts: journal.append(" ".join(map(str, facts)))).run(under_load())
    assert check(journal, left=()) > 50


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_is_restarted(own_server: Server, mode: Literal["fast", "immediate"]) -> None:
    async def restarts() -> None:
        for _ in range(3):
            await asyncio.to_thread(own_server.restart, mode)
            await asyncio.sleep(CHANCE.random())

    asyncio.run(bear(own_server.dsn(), restarts))


def test_workers_go_on_by_themselves(own_server: Server) -> None:
    async def scene() -> None:
        storage = PostgresStorage(own_server.dsn())
        app = App(storage)
        ran: set[int] = set()

        @app.job(heartbeat_interval=INTERVAL)
        async def work(number: int) -> None:
            await asyncio.sleep(CHANCE.random() / 10)
            ran.add(number)

        async with Worker(app, {"default": 20}):
            for number in range(200):
                pushing = work.options(id=uuid4())
                await insisting(partial(pushing.push, number))
                if number % 60 == 30:
                    await asyncio.to_thread(own_server.restart, "immediate")
            while (await insisting(storage.stats)).jobs:
                await asyncio.sleep(0.02)
        assert set(range(200)) == ran
        await storage.aclose()

    asyncio.run(scene())


def test_connections_that_the_server_ends(dsn: str) -> None:
    async def kills() -> None:
        async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
            for _ in range(4 * TIMES):
                await pool.execute(
                    "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE "
                    "datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2) AS unlucky"
                )
                await asyncio.sleep(CHANCE.random() / 5)

    asyncio.run(bear(dsn, kills))


def test_a_server_that_is_paused_for_longer_than_a_lease(own_server: Server) -> None:
    async def pauses() -> None:
        for _ in range(2):
            own_server.pause()
            await asyncio.sleep(8 * INTERVAL.total_seconds())
            own_server.resume()
            await asyncio.sleep(0.3)

    asyncio.run(bear(own_server.dsn(), pauses))


@pytest.mark.parametrize("fate", [Fate.CUT, Fate.END], ids=["cut", "half-closed"])
@pytest.mark.parametrize("way", list(Way), ids=["before they arrive", "before they are answered"])
def test_connections_that_break_in_the_middle_of_statements(server: Server, dsn: str, way: Way, fate: Fate) -> None:
    async def scene() -> None:
        async with Proxy(server) as proxy:

            async def breaks() -> None:
                for _ in range(TIMES):
                    for word in (b"UPDATE", b"DELETE", b"INSERT", b"COPY", b"COMMIT", b"SELECT"):
                        proxy.once(fate, way, word)  # of a statement that goes out in full, or of the tag of an answer
                        await asyncio.sleep(CHANCE.random() / 10)

            await bear(proxy.url(dsn), breaks)

    asyncio.run(scene())


def test_connections_that_break_anywhere(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with Proxy(server) as proxy:
            proxy.grain = 64

            async def breaks() -> None:
                for _ in range(10 * TIMES):
                    proxy.cut_after(CHANCE.randrange(100))
                    await asyncio.sleep(CHANCE.random() / 10)

            await bear(proxy.url(dsn), breaks)

    asyncio.run(scene())


def test_a_network_that_comes_and_goes(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with Proxy(server) as proxy:

            async def troubles() -> None:
                for _ in range(TIMES):
                    proxy.delay = CHANCE.random() / 20
                    await asyncio.sleep(CHANCE.random() / 2)
                    proxy.delay = 0
                    proxy.accepts = False
                    proxy.cut()
                    await asyncio.sleep(CHANCE.random() / 2)
                    proxy.accepts = True

            await bear(proxy.url(dsn), troubles)

    asyncio.run(scene())


def test_a_network_that_swallows_everything(server: Server, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobcore.postgres.connections.ANSWER", 0.5)
    monkeypatch.setattr("jobcore.postgres.sources.CONNECT", 0.5)

    async def scene() -> None:
        async with Proxy(server) as proxy:

            async def swallows() -> None:
                for _ in range(2):
                    proxy.rule = lambda _way, _piece: Fate.SWALLOW
                    await asyncio.sleep(1)
                    proxy.rule = lambda _way, _piece: Fate.PASS
                    await asyncio.sleep(0.3)

            await bear(proxy.url(dsn), swallows)

    asyncio.run(scene())
