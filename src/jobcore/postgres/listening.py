"""Notifications: one connection that listens, once somebody waits, and the telling of news to other processes.

A notification carries the name of a queue in which something may have come to be there. It is sent within the
transaction that it tells of. Since the server lets those that notify commit one at a time, a storage tells of a queue
at most once in `GAP` seconds: the first change at once, and what comes within the gap with one more at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from jobcore.postgres.failures import told
from jobcore.postgres.sources import CLOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from jobcore.postgres.sources import AnyConnection, Source

_logger = logging.getLogger("jobcore")

GAP = 0.005
PING = 10.0
"""Seconds after which the connection is asked whether it is still there: one that was cut may never say so."""
_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)


class Listener:
    """Hears what other processes tell, and calls `heard` with a queue; `changed` when it begins or ceases to hear."""

    def __init__(
        self,
        source: Source,
        channel: str,
        heard: Callable[[str], None],
        changed: Callable[[bool], None],
    ) -> None:
        self._source = source
        self._channel = channel
        self._heard = heard
        self._changed = changed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Cease to listen."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                connection = await self._source.connect()
                try:
                    failures = 0
                    await self._listen(connection)
                finally:
                    self._changed(False)  # noqa: FBT003  (it is what changed)
                    await self._source.give_back(connection)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is tried again, and meanwhile polled)
                if failures == 0:
                    _logger.warning("cannot listen for jobs of other processes, and will poll: %s", told(error))
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def _listen(self, connection: AnyConnection) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(self._channel, self._receive)
        self._changed(True)  # noqa: FBT003  (it is what changed)
        try:
            while not lost.is_set():
                try:
                    async with asyncio.timeout(PING):
                        await lost.wait()
                except TimeoutError:
                    await connection.execute("SELECT 1", timeout=PING)
        finally:
            with contextlib.suppress(Exception):  # it is let go of, whatever it answers
                async with asyncio.timeout(CLOSE):
                    await connection.remove_listener(self._channel, self._receive)

    def _receive(self, _connection: object, backend: int, _channel: str, queue: object) -> None:
        if backend not in self._source.backends:  # who changed it here has touched its line already
            self._heard(str(queue))


class Herald:
    """Says which queues a transaction has to tell of."""

    def __init__(
        self,
        tell: Callable[[list[str]], Coroutine[Any, Any, None]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._tell = tell
        self._spawn = spawn
        self._told: set[str] = set()
        self._owed: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def due(self, queues: Iterable[str]) -> list[str]:
        """Those of these queues that are to be told of now; the others follow when the gap is over."""
        changed = set(queues)
        now = changed - self._told
        self._owed |= changed - now
        self._told |= now
        if self._timer is None and self._told:
            self._timer = asyncio.get_running_loop().call_later(GAP, self._gap_is_over)
        return list(now)

    async def flush(self) -> None:
        """Tell of what is owed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        owed, self._owed, self._told = self._owed, set(), set()
        if owed:
            await self._tell(list(owed))

    def _gap_is_over(self) -> None:
        self._timer = None
        owed, self._owed, self._told = self._owed, set(), self._owed.copy()
        if owed:
            self._timer = asyncio.get_running_loop().call_later(GAP, self._gap_is_over)
            self._spawn(self._tell(list(owed)))
