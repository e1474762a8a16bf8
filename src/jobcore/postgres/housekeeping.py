"""Vacuum: what a queue leaves behind, and who clears it away.

Every job leaves dead row versions and dead entries at the front of the indexes, where the next claim has to pass them.
The server's autovacuum comes once a minute, in which a busy queue leaves millions. So a storage that has ended `OFTEN`
jobs asks for a vacuum itself; of many processes, one at a time gets it, and the others skip theirs. It needs a role
that owns the table (or has MAINTAIN, from PostgreSQL 17 on); without that the server only warns, and autovacuum has to
do. A transaction that stays open for long keeps all versions since its beginning alive, from every vacuum.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from jobcore.postgres.connections import Connections
    from jobcore.postgres.statements import Statements

_logger = logging.getLogger("jobcore")

OFTEN = 20_000
"""Claims and ends of jobs between two vacuums."""
PATIENCE = 600.0
"""Seconds that one may take."""


class Housekeeper:
    """Counts what was left behind, and has it cleared away."""

    def __init__(self, connections: Connections, statements: Statements) -> None:
        self._connections = connections
        self._vacuum = statements.vacuum
        self._left = 0
        self._task: asyncio.Task[None] | None = None

    def left_behind(
        self, counts: Mapping[str, int], spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    ) -> None:
        """So much happened; clear up when it is enough."""
        self._left += sum(counts[name] for name in ("popped", "completed", "dead"))
        if self._left >= OFTEN and (self._task is None or self._task.done()):
            self._left = 0
            self._task = spawn(self._clear())

    async def finished(self) -> None:
        """Wait until the vacuum that is under way, if there is one, has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _clear(self) -> None:
        try:
            await self._connections.outside(self._vacuum, PATIENCE)
        except Exception as error:  # noqa: BLE001  (whatever it is, nobody waits for it)
            _logger.debug("a vacuum failed: %r", error)
