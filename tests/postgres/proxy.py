"""A way to the server that can be cut: at any moment, or by what goes by.

Clients reach it on a port of the loopback, and it reaches the server on its socket. Everything that arrives is shown to
`rule`, in pieces of at most `grain` bytes, which says what becomes of the piece and of the connection. It lives on the
loop of the test: so between two awaits of a test nothing moves.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres.server import Server

RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: a socket that is closed resets its connection, instead of ending it in order."""


class Way(enum.Enum):
    """Where a piece goes."""

    TO_SERVER = enum.auto()
    TO_CLIENT = enum.auto()


class Fate(enum.Enum):
    """What becomes of a piece, and of its connection."""

    PASS = enum.auto()
    SWALLOW = enum.auto()
    """It never arrives, and the connection stays: a black hole."""
    CUT = enum.auto()
    """It never arrives; both sides see a reset, as of a host that crashed."""
    END = enum.auto()
    """It never arrives; its receiver sees the end of the stream, and can still send."""


class Proxy:
    """`async with Proxy(server) as proxy`, then `proxy.url(dsn)` leads through it."""

    def __init__(self, server: Server) -> None:
        self.rule: Callable[[Way, bytes], Fate] = lambda _way, _piece: Fate.PASS
        self.delay = 0.0
        """Seconds that each piece takes."""
        self.grain = 65536
        self.accepts = True
        """Whether new connections get through; else they are reset."""
        self._socket = server.socket_folder / f".s.PGSQL.{urlsplit(server.dsn()).query.rpartition('=')[2]}"
        self._links: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        self.cut()
        while self._links:
            await asyncio.wait(self._links)
        await self._listening.wait_closed()

    def url(self, dsn: str) -> str:
        """The same database by this way."""
        parts = urlsplit(dsn)
        return f"postgresql://{parts.username}@127.0.0.1:{self._port}{parts.path}?sslmode=disable"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    def cut(self) -> None:
        """Reset every connection that is open."""
        for writers in self._links.values():
            _reset(writers)

    def cut_after(self, pieces: int) -> None:
        """Let so many pieces more pass, and cut the connection of the next one; once."""
        left = iter(range(pieces))

        def rule(_way: Way, _piece: bytes) -> Fate:
            if next(left, None) is not None:
                return Fate.PASS
            self.rule = lambda _way, _piece: Fate.PASS
            return Fate.CUT

        self.rule = rule

    def once(self, fate: Fate, way: Way, containing: bytes) -> None:
        """The next piece that goes this way and contains this meets this fate."""

        def rule(its_way: Way, piece: bytes) -> Fate:
            if its_way is not way or containing not in piece:
                return Fate.PASS
            self.rule = lambda _way, _piece: Fate.PASS
            return fate

        self.rule = rule

    async def _serve(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if not self.accepts:
            _reset((client,))
            return
        task = asyncio.current_task()
        assert task
        try:
            server_reader, server = await asyncio.open_unix_connection(self._socket)
        except OSError:  # it is down
            _reset((client,))
            return
        self._links[task] = both = (client, server)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(Way.TO_SERVER, client_reader, server, both))
                pumps.create_task(self._pump(Way.TO_CLIENT, server_reader, client, both))
        finally:
            del self._links[task]
            for writer in both:
                writer.close()

    async def _pump(
        self,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: tuple[asyncio.StreamWriter, ...],
    ) -> None:
        with contextlib.suppress(OSError):  # one side is gone: the other one is to see it
            while piece := await reader.read(self.grain):
                if self.delay:
                    await asyncio.sleep(self.delay)
                fate = self.rule(way, piece)
                if fate is Fate.PASS:
                    writer.write(piece)
                    await writer.drain()
                elif fate is not Fate.SWALLOW:
                    break
            else:
                fate = Fate.END
            if fate is Fate.END:
                writer.write_eof()
                return
        _reset(both)


def _reset(writers: tuple[asyncio.StreamWriter, ...]) -> None:
    for writer in writers:
        connection = writer.get_extra_info("socket")
        if connection.family != socket.AF_UNIX and connection.fileno() >= 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
