"""The tables that kombu adds to those of jobcore: queues, and the bindings by which exchanges route to them.

A queue with `lives` goes when nobody has used it until `ends`, with its messages and bindings: so the queues of a
worker that was killed (for its remote control, for events) do not fill up for ever. Times are microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from jobcore.contrib._messages.tables import MessageTables

if TYPE_CHECKING:
    from jobcore.contrib.kombu._broker import Binding

SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS kombu_queue (
    name TEXT PRIMARY KEY,
    lives INTEGER,  -- so long after its last use; NULL: for ever
    ends INTEGER
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS kombu_queue_ends ON kombu_queue (ends) WHERE ends IS NOT NULL",
    """
CREATE TABLE IF NOT EXISTS kombu_binding (
    exchange TEXT NOT NULL,
    queue TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    pattern TEXT NOT NULL,  -- empty: none
    PRIMARY KEY (exchange, queue, routing_key)
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS kombu_binding_queue ON kombu_binding (queue)",
)

HAS = "SELECT 1 FROM kombu_queue WHERE name = ?"
DECLARE = "INSERT INTO kombu_queue VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET lives = ?2, ends = ?3"
KEEP = "UPDATE kombu_queue SET ends = ?2 + max(lives, ?3) WHERE name = ?1"
ENDED = "SELECT name FROM kombu_queue WHERE ends < ?"
BIND = "INSERT OR IGNORE INTO kombu_binding VALUES (?, ?, ?, ?)"
UNBIND = "DELETE FROM kombu_binding WHERE exchange = ? AND queue = ? AND routing_key = ?"
BOUND = "SELECT 1 FROM kombu_binding WHERE exchange = ? AND queue = ? AND routing_key = ?"
BINDINGS = "SELECT routing_key, nullif(pattern, ''), queue FROM kombu_binding WHERE exchange = ?"
DELETE = (
    "DELETE FROM kombu_queue WHERE name = ?",
    "DELETE FROM kombu_binding WHERE queue = ?",
    "DELETE FROM job WHERE queue = ?",
)


class KombuTables(MessageTables):
    """The statements of one connection; each runs in a transaction of the broker's."""

    schema: ClassVar[tuple[str, ...]] = SCHEMA

    def has(self, queue: str) -> bool:
        """Whether the queue was declared, and has not ended."""
        return self._execute(HAS, (queue,)).fetchone() is not None

    def declare(self, queue: str, lives: int | None, now: int) -> None:
        """Make a queue, or begin its time anew."""
        self._execute(DECLARE, (queue, lives, None if lives is None else now + lives))

    def keep(self, queue: str, now: int, lease: int) -> bool:
        """Put off the end of a queue; False if it is gone."""
        return self._execute(KEEP, (queue, now, lease)).rowcount > 0

    def ended(self, now: int) -> list[str]:
        """The queues whose time is over."""
        return [name for (name,) in self._execute(ENDED, (now,)).fetchall()]

    def delete(self, queue: str) -> None:
        """Remove a queue, its bindings, its messages."""
        for statement in DELETE:
            self._execute(statement, (queue,))

    def bind(self, exchange: str, binding: Binding) -> None:
        """Add a binding, once."""
        routing_key, pattern, queue = binding
        self._execute(BIND, (exchange, queue, routing_key or "", pattern or ""))

    def is_bound(self, exchange: str, binding: Binding) -> bool:
        """Whether the binding is there."""
        routing_key, _, queue = binding
        return self._execute(BOUND, (exchange, queue, routing_key or "")).fetchone() is not None

    def unbind(self, exchange: str, binding: Binding) -> None:
        """Remove a binding."""
        routing_key, _, queue = binding
        self._execute(UNBIND, (exchange, queue, routing_key or ""))

    def bindings(self, exchange: str) -> list[Binding]:
        """The bindings to an exchange."""
        found: list[Binding] = self._execute(BINDINGS, (exchange,)).fetchall()
        return found
