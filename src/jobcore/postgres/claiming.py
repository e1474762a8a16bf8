"""Claims: how the pops that wait get their jobs.

A pop joins the line of its queue. For each queue with a line, at most one *look* is under way: a claim for all who
stand in the line, and, if that brings too little, the question what comes next. The promise that no job that could be
popped lies there while somebody waits (design, 4.6) is an argument about what is true of each line at any moment; at
least one of these:

    (a) the latest look found nothing to claim, `next_at` is when that changes by itself, and nothing has changed since;
    (b) the line is touched: a look comes at once;
    (c) a look is under way.

Whatever makes (a) false touches the line: a push, a put-back or an undone claim of this storage when it is committed,
those of others when their notification comes, the alarm at `next_at`. A line that is touched while a look is under way
is looked at once more after it. Whatever may have kept a notification away (a connection that was lost, LISTEN having
begun only now) touches all lines, and so does the *poll*, which finds what is left: what a transaction had locked that
was rolled back then, and all there is to find where nobody listens.

A claim is made for runners, and a pop may be cancelled meanwhile: then what was claimed for it is undone, and the
cancellation waits for that.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from asyncpg.pgproto.pgproto import UUID as WireUUID  # noqa: N811  (see tables.py)

from jobcore._durable.lines import Lines
from jobcore._durable.requests import Answers
from jobcore.errors import StorageClosed
from jobcore.postgres.failures import told
from jobcore.postgres.tables import News, claim_of, popped

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from asyncpg import Record

    from jobcore._durable.requests import Pop, Request
    from jobcore.postgres.connections import Connections
    from jobcore.postgres.tables import Tables
    from jobcore.storage import Clock

POLL = 5.0
"""Seconds after which lines are looked at though nothing has told of a change."""
POLL_DEAF = 0.25
"""The same where nobody listens."""
CONTENDED = 10_000
"""Microseconds after which a line is looked at again whose next job somebody else has locked."""
GLANCE = 0.005
"""Seconds between two looks at a clock that is not the module `time`, and cannot be slept by."""
ENOUGH = 128
"""Jobs for which a claim looks no further along the line; the others have their turn at once if there are as many."""
MOST = 10_000
"""Jobs that one pop gets at the most."""


class Claims:
    """The lines, and the looks at them. Only the loop of the engine calls it."""

    def __init__(
        self,
        connections: Connections,
        tables: Tables,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        account: Callable[[News], None],
    ) -> None:
        self.listening = False
        """Whether others' changes are told: else the poll is fast."""
        self._connections = connections
        self._tables = tables
        self._clock = clock
        self._spawn = spawn
        self._account = account
        self._lines = Lines()
        self._looked_at: set[str] = set()
        self._claimed_for: set[Pop] = set()
        self._withdrawn: dict[Pop, Request] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._polls_at: float | None = None

    def join(self, pop: Pop) -> None:
        """Serve this pop, behind those that wait already."""
        self._lines.join(pop)
        self._look()

    def withdraw(self, pop: Pop, undo: Request) -> None:
        """Let this pop take nothing, and answer `undo` then."""
        if self._lines.leave(pop):
            if pop in self._claimed_for:
                self._withdrawn[pop] = undo
            else:
                _answer(undo)
        elif pop.taken:
            self._spawn(self._undo(pop.taken, pop.queue, [undo]))
        else:
            _answer(undo)

    def touch(self, queues: Iterable[str]) -> None:
        """Something may have come to be there in these queues."""
        for queue in queues:
            self._lines.touch(queue)
        self._look()

    def touch_all(self) -> None:
        """Something may have come to be there anywhere."""
        self._lines.touch_all()
        self._look()

    @property
    def quiet(self) -> bool:
        """Whether no look is under way or due now."""
        return not self._looked_at and not self._lines.touched

    def close(self) -> None:
        """End every pop that waits with `StorageClosed`."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._end(self._lines.pops(), StorageClosed)

    def _now(self) -> int:
        """Microseconds, for `next_at`."""
        if self._clock is time:
            return int(asyncio.get_running_loop().time() * 1e6)
        return self._clock.time_ns() // 1000

    def _look(self) -> None:
        for queue in self._lines.touched - self._looked_at:
            self._looked_at.add(queue)
            self._spawn(self._serve(queue))
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if not self._lines:
            self._polls_at = None
            return
        loop = asyncio.get_running_loop()
        latest = loop.time() + (POLL if self.listening else POLL_DEAF)
        self._polls_at = latest if self._polls_at is None else min(self._polls_at, latest)
        seconds = self._polls_at - loop.time()
        if self._clock is not time:
            seconds = GLANCE
        elif (next_at := self._lines.next_at()) is not None:
            seconds = min(seconds, (next_at - self._now()) / 1e6)
        self._alarm = loop.call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._lines.touch_due(self._now())
        if self._polls_at is not None and asyncio.get_running_loop().time() >= self._polls_at:
            self._polls_at = None
            self._lines.touch_all()
        self._look()

    async def _serve(self, queue: str) -> None:
        """Look at the line until it is not touched any more."""
        try:
            while queue in self._lines.touched:
                self._lines.touched.discard(queue)
                await self._look_once(queue)
        except Exception as failure:  # noqa: BLE001  (whatever it is, those who wait have to know)
            self._end(self._waiting(queue), partial(told, failure))
        finally:
            self._looked_at.discard(queue)
            self._look()

    async def _look_once(self, queue: str, *, in_order: bool = True) -> None:
        slots = self._slots(queue)
        if not slots:
            return
        runners = {pop.runner: WireUUID(pop.runner) for pop in set(slots)}
        order = [runners[pop.runner] for pop in slots]
        self._claimed_for.update(slots)
        leftover: list[tuple[Any, ...]] = []
        try:
            records = await self._connections.run(lambda to: self._tables.claim(to, queue, order, in_order=in_order))
            leftover = self._deal(records, slots)
        finally:  # if it failed, what was claimed all the same is left to its lease
            self._claimed_for.difference_update(slots)
            undos = [self._withdrawn.pop(pop) for pop in dict.fromkeys(slots) if pop in self._withdrawn]
            if leftover or undos:
                await self._undo(leftover, queue, undos)
        if queue in self._lines:
            if len(records) < len(slots):
                await self._look_ahead(queue, risen=not in_order)
            else:
                self._lines.touch(queue)

    def _waiting(self, queue: str) -> list[Pop]:
        return self._lines.pops([queue]) if queue in self._lines else []

    def _slots(self, queue: str) -> list[Pop]:
        """Who gets the first job, the second, and so on: the first in the line, however many wait."""
        slots: list[Pop] = []
        closed: list[Pop] = []
        for pop in self._lines[queue].pops if queue in self._lines else ():
            if pop.loop.is_closed():
                closed.append(pop)
            else:
                slots += [pop] * min(pop.limit, MOST)
                if len(slots) >= ENOUGH:
                    break
        for pop in closed:
            self._lines.leave(pop)
        return slots

    def _deal(self, records: list[Record], slots: list[Pop]) -> list[tuple[Any, ...]]:
        """Answer the pops; what was claimed for those that are not there any more, to be undone."""
        shares: dict[Pop, list[Record]] = {}
        for record, pop in zip(records, slots, strict=False):
            shares.setdefault(pop, []).append(record)
        answers = Answers()
        leftover: list[tuple[Any, ...]] = []
        for pop, share in shares.items():
            runner = WireUUID(pop.runner)
            taken = [claim_of(record, runner) for record in share]
            if self._lines.leave(pop):
                pop.taken = taken
                answers.add(pop, [popped(record) for record in share])
            else:
                leftover += taken
        for pop in answers.deliver():
            leftover += pop.taken
        self._count(records)
        return leftover

    def _count(self, records: list[Record]) -> None:
        news = News()
        news.counts["popped"] = len(records)
        news.counts["reclaimed"] = sum(record["before"] is not None for record in records)
        self._account(news)

    async def _look_ahead(self, queue: str, *, risen: bool) -> None:
        """There was less than was asked for: see why, and when there will be more."""
        asked_at = self._now()
        rest, ready = await self._connections.run(lambda to: self._tables.ahead(to, queue))
        if rest is not None and rest <= 0 and not risen:
            if await self._connections.run(lambda to: self._tables.rise(to, queue)):
                # What still sleeps beyond its rest is locked by somebody else, and must not keep back the others.
                await self._look_once(queue, in_order=False)
            else:
                self._lines.touch(queue)
        elif queue in self._lines:
            waits = [wait if wait > 0 else CONTENDED for wait in (rest, ready) if wait is not None]
            self._lines[queue].next_at = asked_at + min(waits) if waits else None

    async def _undo(self, taken: list[tuple[Any, ...]], queue: str, undos: list[Request]) -> None:
        error: BaseException | None = None
        try:
            if taken:
                # Not repeated: if it happened all the same, this runner may have the job again, under the same number.
                self._account(await self._connections.run(lambda to: self._tables.undo(to, taken), repeat=False))
        except Exception as failure:  # noqa: BLE001  (whatever it is, the cancellation must go on)
            error = told(failure)
        for undo in undos:
            undo.args[0].taken = None
            _answer(undo, error)
        self.touch([queue])

    def _end(self, pops: Iterable[Pop], error: Callable[[], BaseException]) -> None:
        answers = Answers()
        for pop in pops:
            self._lines.leave(pop)
            answers.add(pop, error=error())
        answers.deliver()


def _answer(request: Request, error: BaseException | None = None) -> None:
    answers = Answers()
    answers.add(request, error=error)
    answers.deliver()
