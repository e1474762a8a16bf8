"""Group commit: while one statement is under way, the requests that come are gathered; the next one carries them all.

So a lone call goes out at once, and the more calls there are at the same time, the more of them share a round trip and
a sync of the server's log. Nothing ever waits for company.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from jobcore._durable.requests import Request

MOST_BYTES = 16 * 1024 * 1024
"""About so much a group may send; a request that is larger goes alone."""


class Batcher:
    """The requests of one verb, carried out group by group, in their order.

    `weigh` tells how many rows and bytes a request has; a group has at most `most` rows, unless one request has more.
    `carry_out` answers every request of its group, whatever happens.
    """

    def __init__(
        self,
        carry_out: Callable[[list[Request]], Awaitable[None]],
        weigh: Callable[[Request], tuple[int, int]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        most: int,
    ) -> None:
        self._carry_out = carry_out
        self._weigh = weigh
        self._spawn = spawn
        self._most = most
        self._waiting: list[Request] = []
        self._under_way = False

    def add(self, request: Request) -> None:
        """Carry this out, with others that are waiting."""
        self._waiting.append(request)
        if not self._under_way:
            self._under_way = True
            self._spawn(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._carry_out(self._next())
        finally:
            self._under_way = False

    def _next(self) -> list[Request]:
        rows = size = 0
        for number, request in enumerate(self._waiting):
            more_rows, more_bytes = self._weigh(request)
            rows, size = rows + more_rows, size + more_bytes
            if number and (rows > self._most or size > MOST_BYTES):
                break
        else:
            number = len(self._waiting)
        group, self._waiting = self._waiting[:number], self._waiting[number:]
        return group
