"""Group commit without a thread of its own: threads that call at the same time share a transaction.

A thread that finds nobody at work *leads*: it carries out what is there in one transaction and answers the others. Who
comes meanwhile, while the disk syncs, joins the queue and *follows*; when the transaction has ended, its leader hands
the lead to the first of them. So the slower the disk is, the more threads share each of its syncs. A thread that is
alone pays little for the company it could have: one statement needs no transaction around it.

Who fails in company fails alone, and leaves nothing behind: the others are carried out again without it.

At any moment at most one thread leads, and touches the database; `_led` says whether one does. The lead is given up
under the lock only when the queue is empty, so a request in the queue has a leader that will take it.
"""

from __future__ import annotations

import threading
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jobcore.errors import StorageUnavailable
from jobcore.sqlite.database import Database, concerns_one, is_busy, patiently, told

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

T = TypeVar("T")

_VACUUM_EVERY = 256


class Kind(Enum):
    """What carrying out a request asks for."""

    READ = "read"
    CHANGE = "change"
    """Whatever wants a transaction around it: all of it is done, or nothing."""
    STATEMENT = "statement"
    """One statement, which is a transaction of its own where it is not in another one."""
    CLOSE = "close"
    """No connection, when all others in its company are answered."""


class Request:
    """What a thread wants done, and what came of it; if it follows, its bell rings when it is answered, or leads."""

    __slots__ = ("act", "answered", "bell", "error", "kind", "leads", "value")

    def __init__(self, kind: Kind, act: Callable[[sqlite3.Connection], Any]) -> None:
        self.kind: Kind = kind
        self.act: Callable[[sqlite3.Connection], Any] = act
        self.value: Any = None
        self.error: Exception | None = None
        self.answered: bool = False
        self.leads: bool = False
        self.bell: threading.Lock | None = None


class GroupCommit:
    """One database for many threads; `prepare` is called with each connection, inside its first transaction."""

    def __init__(self, database: Database, prepare: Callable[[sqlite3.Connection], object]) -> None:
        self._database = database
        self._prepare = prepare
        self._lock = threading.Lock()
        self._led = False
        self._queue: list[Request] = []
        self._written = 0

    def read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """What this finds in the database."""
        return cast("T", self._call(Request(Kind.READ, act)))

    def write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """What comes of this, in one transaction, as soon as it is durable; done again where its company failed."""
        return cast("T", self._call(Request(Kind.CHANGE, act)))

    def change(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        """The rows that this statement returns, as soon as what it changes is durable."""
        act = partial(_rows, statement=statement, parameters=parameters)
        return cast("list[Any]", self._call(Request(Kind.STATEMENT, act)))

    def version(self) -> int:
        """A number that changes when another connection has written."""
        return self.read(lambda _: self._database.version())

    def close(self) -> bool:
        """Close the connection, until the next call; whether there was one."""
        return bool(self._call(Request(Kind.CLOSE, lambda _: None)))

    def _call(self, request: Request) -> Any:
        bell: threading.Lock | None = None
        with self._lock:
            if self._led:
                bell = request.bell = threading.Lock()
                bell.acquire()
                self._queue.append(request)
            else:
                self._led = True
        if bell is None:
            self._lead([request])
        else:
            self._follow(request, bell)
        if request.error is not None:
            raise request.error
        return request.value

    def _follow(self, request: Request, bell: threading.Lock) -> None:
        try:
            bell.acquire()
        except BaseException:  # a signal
            with self._lock:
                if request in self._queue:
                    self._queue.remove(request)
            if request.leads:
                self._hand_on([])
            raise
        if request.leads:
            with self._lock:
                batch, self._queue = [request, *self._queue], []
            self._lead(batch)

    def _lead(self, batch: list[Request]) -> None:
        try:
            self._carry_out(batch)
        except Exception as error:  # noqa: BLE001  (whatever it is, those who wait have to know)
            self._fail(batch, error)
        except BaseException:  # a signal
            self._fail(batch, StorageUnavailable("a signal interrupted the transaction"))
            raise
        finally:
            self._hand_on(batch[1:])

    def _hand_on(self, followers: list[Request]) -> None:
        with self._lock:
            successor = self._queue.pop(0) if self._queue else None
            self._led = successor is not None
            if successor is not None:
                successor.leads = True
        for follower in followers:
            _ring(follower)
        if successor is not None:
            _ring(successor)

    def _carry_out(self, batch: list[Request]) -> None:
        if len(batch) == 1 and batch[0].kind is Kind.STATEMENT:
            self._change(batch[0])
            return
        acting = [request for request in batch if request.kind is not Kind.CLOSE]
        if any(request.kind is not Kind.READ for request in acting):
            self._transact(acting)
        else:
            for request in acting:
                patiently(partial(self._do, request))
        if len(acting) < len(batch):
            was_open = self._database.connection is not None
            self._database.close()
            for request in batch:
                request.value = was_open if request.kind is Kind.CLOSE else request.value

    def _change(self, request: Request) -> None:
        self._opened()
        self._database.check()
        patiently(partial(self._do, request))
        self._written_once()

    def _transact(self, batch: list[Request]) -> None:
        self._opened()
        self._database.check()
        while batch and (failed := self._transacted(batch)):
            self._database.rollback()
            batch = [request for request in batch if request is not failed]
        for request in batch:
            request.answered = True
        self._written_once()

    def _transacted(self, batch: list[Request]) -> Request | None:
        """Carry these out in one transaction, or find the first that fails."""
        self._database.begin()
        for request in batch:
            self._do(request)
            if request.error is not None:
                return request
        self._database.commit()
        return None

    def _written_once(self) -> None:
        self._written += 1
        if self._written >= _VACUUM_EVERY:
            self._written = 0
            self._database.vacuum()

    def _do(self, request: Request) -> None:
        connection = self._opened()
        try:
            request.value = request.act(connection)
        except Exception as error:
            if not _is_own(error):
                raise
            request.error = told(error) if _has_code(error) else error

    def _opened(self) -> sqlite3.Connection:
        connection = self._database.connection
        if connection is None:
            connection = self._database.open()
            self._database.begin()
            self._prepare(connection)
            self._database.commit()
        return connection

    def _fail(self, batch: list[Request], error: Exception) -> None:
        """Nothing of this was done: tell everybody, and open the database anew for the next."""
        self._database.rollback()
        if not is_busy(error.__cause__ or error):
            self._database.close()
        for request in batch:
            if not request.answered and request.error is None:
                request.error = told(error)


def _rows(connection: sqlite3.Connection, statement: str, parameters: Sequence[Any]) -> list[Any]:
    return connection.execute(statement, parameters).fetchall()


def _ring(follower: Request) -> None:
    assert follower.bell is not None  # noqa: S101
    follower.bell.release()


def _is_own(error: Exception) -> bool:
    """Whether another request could fare better; what the module finds wrong, and not the database, has no code."""
    return not (isinstance(error, StorageUnavailable) or _has_code(error)) or concerns_one(error)


def _has_code(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) is not None
