"""What messages ask of the tables of jobcore, beyond the verbs of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from jobcore.sqlite.schema import LEASED, SCHEDULED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from jobcore.sqlite.tables import Tables

_FREE = f"queue = ?1 AND (lane <= {SCHEDULED} OR lane = {LEASED} AND at <= ?2)"
_HELD = "id = ? AND runner = ? AND deliveries = ?"
SIZE = f"SELECT count(*) FROM job WHERE {_FREE}"
PURGE = f"DELETE FROM job WHERE {_FREE}"
ANY = "SELECT 1 FROM job WHERE queue = ? LIMIT 1"
ADOPT = "UPDATE job SET heartbeat = ? WHERE id = ?"
ACK = f"DELETE FROM job WHERE {_HELD}"
REQUEUE = f"UPDATE job SET runner = NULL, lane = -priority, at = due WHERE {_HELD}"
BURY = f"UPDATE job SET queue = ?, runner = NULL, priority = 0, lane = 0, at = ?, due = ? WHERE {_HELD}"
FORGET = "DELETE FROM job WHERE queue = ? AND lane = 0 AND at < ?"


class MessageTables:
    """The statements of one connection; each runs in a transaction of its owner's."""

    schema: ClassVar[tuple[str, ...]] = ()
    """What makes the tables that are not jobcore's, if they are not there."""

    def __init__(self, connection: sqlite3.Connection, jobs: Tables) -> None:
        self.jobs: Tables = jobs
        """The same connection's, for the verbs of jobs."""
        self._execute = connection.execute
        self._executemany = connection.executemany

    def size(self, queue: str, now: int) -> int:
        """How many messages nobody holds."""
        (size,) = self._execute(SIZE, (queue, now)).fetchone()
        return int(size)

    def has_any(self, queue: str) -> bool:
        """Whether there is a message, held or not."""
        return self._execute(ANY, (queue,)).fetchone() is not None

    def purge(self, queue: str, now: int) -> int:
        """Remove the messages that nobody holds; how many those were."""
        return self._execute(PURGE, (queue, now)).rowcount

    def adopt(self, beats: Iterable[Sequence[object]]) -> None:
        """Let these messages be leased by the consumer's heartbeat, not their publisher's: (heartbeat, id) each."""
        self._executemany(ADOPT, beats)

    def ack(self, held: Iterable[Sequence[object]]) -> None:
        """Remove these deliveries: (id, runner, number) each."""
        self._executemany(ACK, held)

    def requeue(self, held: Iterable[Sequence[object]]) -> None:
        """Let these deliveries go, each to its old place."""
        self._executemany(REQUEUE, held)

    def bury(self, held: Sequence[object], queue: str, now: int, forgotten: int) -> None:
        """Move this delivery into another queue, without what died before `forgotten`."""
        self._execute(FORGET, (queue, forgotten))
        self._execute(BURY, (queue, now, now, *held))
