# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""The writer: one thread, one connection, one transaction for all requests that are there.

Calls from any loop put their requests into the inbox. The thread takes what is there, carries it out in its order
between one BEGIN IMMEDIATE and one COMMIT, and answers when that is durable. So concurrent calls share the cost of a
sync, and the slower the disk is, the more of them share it. Neighbours of one verb go to the tables together.

Waiting (design, 4.6). A pop joins the line of its queue, and lines are served at the end of a transaction. The thread
does one thing at a time, so the promise is an argument about what holds between its cycles. For each line, at least
one of these is true:

    (a) at its last look nothing could be popped, `next_at` is when that changes by itself, and nothing has changed
        since: not by this connection, and not by another one, or `data_version` differs from what is noted here;
    (b) the line is touched, and the next cycle, which comes at once, looks at it.

Whatever makes (a) false makes (b) true: a push, a put-back or an undone claim of this connection touches its queue
(`Tables.changed`), in the cycle that serves the lines; `next_at` is what the sleep of the thread ends at; another
connection's commit is seen by `data_version`, which is noted before the look and compared again and again while a line
is there (`watching` says when). A cycle that failed leaves its lines touched, or has ended their pops with an error.
Removals, heartbeats and claims only put off what `next_at` says, and a look that comes early notes the new time; a line
in which pops remain after others were served is looked at again, since their leases end some time.

A clock that is not the module `time` cannot be slept by: then the thread looks at it every `GLANCE` seconds.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
import time
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from jobcore._durable.inbox import Inbox
from jobcore._durable.lines import Lines
from jobcore._durable.requests import READING, Answers, Pop, Request, share, undoing
from jobcore._durable.storage import COUNTERS
from jobcore.errors import JobcoreError, StorageClosed, StorageUnavailable
from jobcore.sqlite.database import Database, concerns_one, is_busy, patiently, told
from jobcore.sqlite.tables import TOGETHER, Tables
from jobcore.sqlite.watching import Watch

if TYPE_CHECKING:
    import asyncio

    from jobcore.storage import Clock

GLANCE = 0.005
LULL = 0.1
"""Seconds without a request after which the thread has time for the house."""
LONGEST_REST = 10.0
"""Seconds by which a jump of the clock delays what comes due, at most."""

_MOST_REQUESTS = 1_000
_VACUUM_EVERY = 256


class Writer:
    """The engine of a `SqliteStorage`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.counters: dict[str, int] = dict.fromkeys(COUNTERS, 0)
        self._database = database
        self._clock = clock
        self._watch = Watch()
        self._inbox = Inbox(self._watch.ring)
        self._lock = threading.Lock()  # over the start and the end of the thread
        self._thread: threading.Thread | None = None
        self._abandoned = False
        self._stopped = False
        # Of the thread alone, from here on.
        self._closers: list[Request] = []
        self._closing = False
        self._lines = Lines()
        self._tables: Tables | None = None
        self._version = 0
        self._counts: dict[str, int] = {}
        self._written = 0
        self._vacuums = False

    # From any thread.

    def submit(self, request: Request) -> None:
        """Carry this out, and answer it."""
        self._inbox.put(request)
        if self._thread is None:
            self._start()
        if self._stopped:  # a moment ago, maybe after the thread took its last look
            self._refuse_rest()

    def close(self) -> asyncio.Future[None] | None:
        """Finish what was submitted, end every pop that waits, and stop; None when it has."""
        with self._lock:
            self._stopped |= self._thread is None
            if self._stopped:
                return None
            request = Request("close")
            self._inbox.put(request)
            return request.future

    def abandon(self) -> None:
        """As `close`, and nobody waits for it; called by the garbage collector, wherever it runs, so without a lock."""
        self._abandoned = True
        self._watch.ring()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="jobcore-sqlite", daemon=True)
                self._thread.start()

    # On the thread.

    def _run(self) -> None:
        try:
            while not self._closing:
                self._cycle(self._take(self._rest()))
            while rest := self._take(0):
                self._cycle(rest)
        finally:
            answers = Answers()
            for pop in self._lines.pops():
                answers.add(pop, None, StorageClosed())
            while self._database.vacuum():
                continue
            self._database.close()
            self._watch.deafen()
            with self._lock:
                self._stopped = True
                for request in self._take(0):
                    self._refuse(request, answers)
            for request in self._closers:
                answers.add(request)
            answers.deliver()

    def _rest(self) -> float | None:
        """How long the thread may sleep if no request comes; None for as long as that takes."""
        if self._inbox or self._lines.touched or self._vacuums:
            return 0
        rest = LULL if self._written else None
        if not self._lines:
            return rest
        if self._clock is not time:
            return GLANCE
        next_at = self._lines.next_at()
        until_next = LONGEST_REST if next_at is None else (next_at - self._now()) / 1e6
        return max(0, min(until_next, LONGEST_REST, rest or LONGEST_REST))

    def _sleep(self, seconds: float | None) -> None:
        """Wait for requests, and meanwhile for a reason to look at the lines."""
        if seconds and self._lines and self._clock is time:
            self._watch.sleep(seconds, self._changed)
        else:
            self._watch.rest(seconds)

    def _take(self, seconds: float | None) -> list[Request]:
        """The requests that are there; wait so long for a first one."""
        with suppress(sqlite3.Error, StorageUnavailable):  # the cycle meets these itself
            self._sleep(seconds)
        self._closing |= self._abandoned
        return self._inbox.take(_MOST_REQUESTS)

    def _cycle(self, batch: list[Request]) -> None:
        """Carry out these requests, and serve the lines that have to be looked at."""
        answers = Answers()
        todo = [request for request in batch if not self._received(request, answers)]
        self._lines.touch_due(self._now())
        try:
            if self._lines:
                self._changed()
            if todo or self._lines.touched:
                self._transact(todo, answers)
            self._keep_house(busy=bool(batch))
        except Exception as error:  # noqa: BLE001  (whatever it is, those who wait have to know)
            self._failed(todo, answers, error)
        for pop in answers.deliver():
            self._inbox.put(undoing(pop, pop.future))

    def _received(self, request: Request, answers: Answers) -> bool:
        """Take in what needs no transaction."""
        if isinstance(request, Pop):
            self._lines.join(request)
            return True
        if request.verb == "close":
            self._closing = True
            self._closers.append(request)
            return True
        if request.verb == "undo" and (self._lines.leave(request.args[0]) or not request.args[0].taken):
            answers.add(request)
            return True
        return False

    def _opened(self) -> Tables:
        if self._tables is None or self._database.connection is None:
            connection = self._database.open()
            self._watch.listen(self._database.path + "-wal")
            self._tables = Tables(connection, self._now, self._count)
            self._version = self._database.version()
            self._lines.touch_all()
        return self._tables

    def _changed(self) -> bool:
        """Whether another connection has written since the last call, and all lines have to be looked at."""
        self._opened()
        version = self._database.version()
        if version == self._version:
            return False
        self._version = version
        self._lines.touch_all()
        return True

    def _transact(self, todo: list[Request], answers: Answers) -> None:
        tables = self._opened()
        self._database.check()
        if all(request.verb in READING for request in todo) and not self._looks():
            for request in todo:
                self._answer(request, tables, answers)
            return
        try:
            self._commit(todo, answers)
        except Exception as error:
            if not concerns_one(error):
                raise
            self._one_by_one(todo, answers)

    def _commit(self, todo: list[Request], answers: Answers, *, serves: bool = True) -> None:
        """All of these in one transaction; only when it is durable, they are answered."""
        tables = self._opened()
        self._counts.clear()
        tables.changed.clear()
        self._database.begin()
        touched: set[str] = set()
        try:
            if self._lines:
                self._changed()  # now that nobody else can write
            results = self._call_all(todo, tables)
            for queue in tables.changed:
                self._lines.touch(queue)
            touched |= self._lines.touched
            served = self._serve_all(tables) if serves else []
            self._database.commit()
            self._watch.forget()
        except BaseException:
            self._database.rollback()
            for queue in touched:  # what was seen there is not so
                self._lines.touch(queue)
            raise
        for name, number in self._counts.items():
            self.counters[name] += number
        self._written += 1
        for request, result in zip(todo, results, strict=True):
            answers.add(request, result)
            if request.verb == "undo":
                request.args[0].taken = None
        for pop, jobs, taken in served:
            self._lines.leave(pop)
            pop.taken = taken
            answers.add(pop, jobs)

    def _one_by_one(self, todo: list[Request], answers: Answers) -> None:
        """The transaction failed, by one of its requests: only that one is to fail."""
        for request in todo:
            try:
                self._commit([request], answers, serves=False)
            except Exception as error:
                if not concerns_one(error):
                    raise
                answers.add(request, None, _told(error))
        try:
            self._commit([], answers)
        except Exception as error:
            if not concerns_one(error):
                raise
            for pop in self._lines.pops(self._lines.touched):
                self._lines.leave(pop)
                answers.add(pop, None, _told(error))

    def _failed(self, todo: list[Request], answers: Answers, error: Exception) -> None:
        """Nothing of this could be done: tell everybody, and open the database anew for the next."""
        done = answers.told()
        pops = self._lines.pops(self._lines.touched)
        if not is_busy(error.__cause__ or error):
            pops = self._lines.pops()
            self._database.close()
        for request in (*todo, *pops):
            if request not in done:
                answers.add(request, None, _told(error))
        for pop in pops:
            self._lines.leave(pop)

    def _call_all(self, todo: list[Request], tables: Tables) -> list[Any]:
        results: list[Any] = []
        for verb, neighbours in groupby(todo, attrgetter("verb")):
            if verb in TOGETHER:
                results += getattr(tables, verb)([request.args for request in neighbours])
            else:
                results += [self._call(request, tables) for request in neighbours]
        return results

    def _call(self, request: Request, tables: Tables) -> Any:
        if request.verb == "gauges":
            return tables.gauges(), {name: self.counters[name] + self._counts.get(name, 0) for name in COUNTERS}
        if request.verb == "undo":
            pop: Pop = request.args[0]
            tables.undo(pop.taken, pop.runner)
            tables.changed.add(pop.queue)
            return None
        return getattr(tables, request.verb)(*request.args)

    def _answer(self, request: Request, tables: Tables, answers: Answers) -> None:
        self._counts.clear()
        answers.add(request, patiently(lambda: self._call(request, tables)))

    def _looks(self) -> bool:
        """`_look` at all that was touched, until there is something."""
        return any(patiently(functools.partial(self._look, queue)) for queue in tuple(self._lines.touched))

    def _look(self, queue: str) -> bool:
        """Whether there is something to do in this queue; if not, note when there will be."""
        tables = self._opened()
        next_at = tables.next_at(queue)
        if tables.is_ready(queue) or (next_at is not None and next_at <= self._now()):
            return True
        self._lines[queue].next_at = next_at
        self._lines.touched.discard(queue)
        return False

    def _serve_all(self, tables: Tables) -> list[tuple[Pop, list[Any], list[Any]]]:
        return [served for queue in tuple(self._lines.touched) for served in self._serve(queue, tables)]

    def _serve(self, queue: str, tables: Tables) -> list[tuple[Pop, list[Any], list[Any]]]:
        """Give the pops that wait on this queue what can be popped."""
        served: list[tuple[Pop, list[Any], list[Any]]] = []
        while (first := next(iter(self._lines[queue].pops))).loop.is_closed():
            self._lines.leave(first)
            if queue not in self._lines:
                return []
        line = self._lines[queue]
        waiting, wanted = iter(line.pops), line.wanted
        now = self._now()
        while wanted:
            next_at = tables.next_at(queue)
            if next_at is not None and next_at <= now and not tables.rise(queue, now):
                return served  # and the queue stays touched: the rest rises in the next transactions
            rows = tables.first(queue, wanted, now)
            if not rows:
                line.next_at = next_at
                break
            dealt = share(rows, waiting)
            claimed = tables.claim([(own, pop.runner) for pop, own in dealt], now)
            served += [(pop, jobs, own) for (pop, own), jobs in zip(dealt, claimed, strict=True)]
            wanted -= sum(pop.limit for pop, _ in dealt)
        self._lines.touched.discard(queue)
        return served

    def _keep_house(self, *, busy: bool) -> None:
        """Give back the room of jobs that are gone, while nobody asks for anything else."""
        if self._written >= _VACUUM_EVERY or ((self._written or self._vacuums) and not busy):
            self._written = 0
            self._vacuums = self._database.vacuum()

    def _now(self) -> int:
        return self._clock.time_ns() // 1000

    def _count(self, name: str, number: int) -> None:
        self._counts[name] = self._counts.get(name, 0) + number

    def _refuse(self, request: Request, answers: Answers) -> None:
        if request.verb == "close":
            answers.add(request)
        else:
            answers.add(request, None, StorageClosed())

    def _refuse_rest(self) -> None:
        answers = Answers()
        for request in self._take(0):
            self._refuse(request, answers)
        answers.deliver()


def _told(error: Exception) -> Exception:
    expected = isinstance(error, sqlite3.Error | JobcoreError | MemoryError)
    return told(error) if expected else RuntimeError(f"bug: {error!r}")
