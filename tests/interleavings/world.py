"""One schedule: a storage, its loops and all that happens to them, with the promises checked whenever it is quiet.

A `Scene` says who waits and what will happen: chains of moves, each in its order, the chains in any order. A `World`
plays it once, by the answers it is given. Whenever several things can come next it asks which:

- the next callback of a loop. That is the first answer, and it is free: a loop that is left alone runs until it is
  quiet;
- the next move of a chain. While a callback is ready that is a *hurry*: something happens before the loop came to it.

There are as many hurries as the scene allows. Most mistakes in the order of things need one or two, and with a bound
the number of schedules grows by a power of their length, not exponentially. With `points` there is such a question
also between any two statements of the waiting (see `variants.py`), where another thread, a signal handler or a
finalizer may act; and while another thread acts, the loop may run.

When all is quiet, the promise (design, Waiting) must hold: nothing can be popped while somebody waits; if something is
on its way an alarm is set, early enough; nobody was woken too often; nobody is forgotten.
"""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop as running_loop
from asyncio import _set_running_loop as set_running_loop
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from jobcore import StorageClosed
from tests.interleavings.scene import INTERRUPT, LOOP, OUTSIDE, QUEUE, TIME, Move, Scene
from tests.interleavings.scheduler import Loop, LoopTimer, VirtualClock
from tests.interleavings.variants import variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcore import JobInfo
    from tests.interleavings.scheduler import Choices
    from tests.interleavings.variants import Variant

LONGEST_ALARM = 10_000_000
MANY_RINGS = 60
MANY_STEPS = 2000


class Broken(AssertionError):
    """A promise that was not kept, and the schedule that shows it."""


@dataclass(eq=False)
class Pop:
    """A pop that may wait."""

    loop: Loop
    runner: UUID
    call: Any
    task: asyncio.Task[Any] | None = None
    seen: bool = False

    @property
    def waits(self) -> bool:
        return not self.loop.is_closed() and (self.task is None or not self.task.done())


@dataclass(frozen=True)
class _Step:
    name: str
    act: Callable[[], None]
    loop: Loop | None
    where: str
    move_of: int | None = None


@dataclass
class World:
    """One play of a scene."""

    scene: Scene
    choices: Choices
    code: Variant | None = None
    log: list[str] = field(default_factory=list)
    pops: list[Pop] = field(default_factory=list)
    held: dict[UUID, tuple[JobInfo, UUID]] = field(default_factory=dict)
    pushed: list[UUID] = field(default_factory=list)
    excuses: int = 0
    """How many things happened that may leave a waiter nothing, or that wake it for another reason than a job."""
    closed: bool = False
    unnoticed: bool = False
    """The wall clock was set and no alarm rang since: for 10 seconds nobody has to notice."""
    stale: bool = False
    """A loop was closed, and its queue has not changed since."""

    def __post_init__(self) -> None:
        self.failures: list[str] = []
        self.running: Loop | None = None
        """The loop in the middle of whose callback we are."""
        self._running: _Step | None = None  # what points interrupt
        self.clock = VirtualClock()
        self.loops = [
            Loop(self.clock, self.failures.append, self.scene.early)  # type: ignore[abstract]
            for _ in {0, *self.scene.waiting}
        ]
        code = self.code or variant(points=self.scene.points)
        timer = LoopTimer() if self.scene.timer else None
        self.storage = code.storage(self.clock, timer, self._point, breathes=self.scene.breathes)
        self.waitlists = self.storage._waiting
        self._deliveries: Counter[tuple[UUID, int]] = Counter()
        self._chains = list(self.scene.chains)
        self._hurries = self.scene.hurries

    def play(self) -> None:
        """Play the scene to its end."""
        try:
            self._play()
        except Broken:
            raise
        except Exception as error:
            raise self._broken(f"{type(error).__name__}: {error}") from error
        finally:
            set_running_loop(None)

    def _play(self) -> None:
        for move in self.scene.before:
            self._perform(self._step_of(move, None))
        self.quiet()
        for _ in range(self.scene.by_hand):
            self.come(self.loops[0], by_hand=True)
        for place in self.scene.waiting:
            self.come(self.loops[place])
            self.quiet()
        while (step := self._next()) is not None:
            self._running = step
            self._perform(step)
            self._running = None
            if not self._ready():
                self.check()
        self._end()

    # What moves do.

    def come(self, loop: Loop, *, by_hand: bool = False) -> None:
        """A pop comes to a loop."""
        runner = UUID(int=len(self.pops) + 1)
        limit = self.scene.limit
        call: Any = self.storage.pop(QUEUE, runner) if limit is None else self.storage.pop_many(QUEUE, runner, limit)
        pop = Pop(loop, runner, call)
        self.pops.append(pop)
        before = running_loop()
        set_running_loop(loop)
        try:
            if by_hand:
                call.send(None)
            else:
                pop.task = loop.create_task(call)
        finally:
            set_running_loop(before)

    def handed(self, job: JobInfo, runner: UUID) -> None:
        """A job was handed out."""
        self._deliveries[job.id, job.delivery_count] += 1
        self.held[job.id] = (job, runner)

    def next_event(self) -> int | None:
        """When the next timer rings or the next job can be popped."""
        times = [when - self.scene.early for loop in self.loops for when in loop.timers()]
        seconds = self.storage.until_next(QUEUE)
        if seconds is not None and seconds > 0:
            times.append(self.clock.now + round(seconds * 1e6))
        return max(min(times), self.clock.now + 1) if times else None

    def pass_time(self) -> None:
        """Go to the next event."""
        late = self.scene.timer and self._ready()
        self.clock.now = self.next_event() or self.clock.now
        rings = sum(loop.rings for loop in self.loops)
        for loop in self.loops:
            loop.ring()
        if sum(loop.rings for loop in self.loops) > rings:
            self.unnoticed = False
        # A `Timer` counts from when its task begins: a loop that is late makes it late.
        self.unnoticed = self.unnoticed or late

    # What comes next.

    def _next(self) -> _Step | None:
        while True:
            self._collect()
            ready = self._callbacks()
            steps = [*ready, *self._moves(LOOP, INTERRUPT, OUTSIDE, TIME)]
            if steps:
                return self._take(self._chosen(steps, free=not ready))
            if not any(self._chains):
                return None
            # What has become impossible does not happen.
            self._chains = [chain[1:] for chain in self._chains]

    def _point(self) -> None:
        """Between two statements somebody else may act."""
        base = self._running
        if base is None:
            return
        self._running = None
        self.running = base.loop
        try:
            while self._hurries > 0:
                steps = self._moves(INTERRUPT) if base.loop is not None else []
                if not self.waitlists._lock._is_owned():  # type: ignore[attr-defined]
                    steps += self._moves(OUTSIDE)
                    if base.where == OUTSIDE:
                        steps += [*self._callbacks(), *self._moves(LOOP)]
                choice = self._chosen([None, *steps], free=False) if steps else None
                if choice is None:
                    break
                self._perform(self._take(choice), base)
        finally:
            self._running = base
            self.running = None

    def _chosen(self, steps: list[Any], *, free: bool) -> Any:
        if not free and self._hurries == 0:
            return steps[0]
        choice = self.choices.choose(len(steps)) if len(steps) > 1 else 0
        if choice > 0 and not free:
            self._hurries -= 1
        return steps[choice]

    def _callbacks(self) -> list[_Step]:
        steps = []
        for number, loop in enumerate(self.loops):
            count = loop.runnable()
            for place in range(count if self.scene.any_order else min(count, 1)):
                name = f"loop {number} runs {place}" if place else f"loop {number} runs"
                steps.append(_Step(name, partial(loop.run, place), loop, LOOP))
        return steps

    def _moves(self, *where: str) -> list[_Step]:
        steps: dict[tuple[Move, ...], _Step] = {}
        for number, chain in enumerate(self._chains):
            if chain and chain[0].where in where and chain[0].possible(self):
                steps.setdefault(chain, self._step_of(chain[0], number))
        return list(steps.values())

    def _step_of(self, move: Move, chain: int | None) -> _Step:
        loop = self.loops[0] if move.where in {LOOP, INTERRUPT} else None
        return _Step(move.name, lambda: move.act(self), loop, move.where, chain)

    def _take(self, step: _Step) -> _Step:
        if step.move_of is not None:
            self._chains[step.move_of] = self._chains[step.move_of][1:]
        return step

    def _perform(self, step: _Step, base: _Step | None = None) -> None:
        self._expect(len(self.log) < MANY_STEPS, "it goes on and on")
        self.log.append(step.name if base is None else f"{step.name}, in the middle of: {base.name}")
        before = running_loop()
        set_running_loop(base.loop if base is not None and step.where == INTERRUPT else step.loop)
        try:
            step.act()
        finally:
            set_running_loop(before)
        self._collect()

    def _collect(self) -> None:
        """See who was served."""
        for pop in self.pops:
            if pop.task is None or pop.seen or not pop.task.done():
                continue
            pop.seen = True
            if pop.task.cancelled():
                continue
            error = pop.task.exception()
            if error is None:
                result = pop.task.result()
                for job in [result] if self.scene.limit is None else result:
                    self.handed(job, pop.runner)
            elif not (self.closed and isinstance(error, StorageClosed)):
                self.failures.append(f"a pop ended with {error!r}")

    def _ready(self) -> bool:
        return any(loop.runnable() for loop in self.loops)

    def quiet(self) -> None:
        """Run what is ready until nothing is."""
        while ready := self._callbacks():
            self._perform(ready[0])

    # What must hold.

    def check(self) -> None:
        """Now that nothing is ready, every promise must hold."""
        for failure in self.failures:
            raise self._broken(failure)
        waiting = [pop for pop in self.pops if pop.waits]
        for loop in self.loops:
            most = int(any(pop.loop is loop for pop in waiting))
            self._expect(len(loop.timers()) <= most, "more timers than queues on which somebody waits")
            # Each wake-up ends in a job that is handed out, to that waiter or to whoever was faster.
            self._expect(loop.wakes <= self._deliveries.total() + self.excuses, "more wake-ups than jobs")
        lists = [one for lists in self.waitlists.by_queue.values() for one in lists]
        self._expect(len(lists) == len(set(lists)), "a waitlist is there twice")
        self._expect(self.stale or not any(one.loop.is_closed() for one in lists), "a closed loop is kept")
        if any(pop.task is None for pop in waiting):
            return
        if self.closed:
            self._expect(not waiting, "somebody waits on a closed storage")
        else:
            self._check_alarms({id(pop.loop): pop.loop for pop in waiting})

    def _check_alarms(self, loops: dict[int, Loop]) -> None:
        seconds = self.storage.until_next(QUEUE)
        if not loops or seconds is None:
            return
        self._expect(seconds > 0 or self.unnoticed, "a job could be popped, and somebody waits")
        longest = LONGEST_ALARM if self.unnoticed else min(round(seconds * 1e6), LONGEST_ALARM)
        latest = self.clock.now + longest
        for loop in loops.values():
            self._expect(any(when <= latest for when in loop.timers()), "no alarm is set in time")

    def _end(self) -> None:
        """Let time run out: all jobs that come meanwhile are served, and nothing is left behind."""
        for pop in self.pops:
            if pop.task is None:
                self.forget(pop)
        for _ in range(MANY_RINGS):
            self.quiet()
            self.check()
            if not any(loop.timers() for loop in self.loops):
                break
            self.pass_time()
        else:
            raise self._broken("somebody polls")
        for pop in self.pops:
            if pop.loop.is_closed():
                pop.loop.collect()
            elif pop.task is not None:
                set_running_loop(pop.loop)
                pop.task.cancel()
                self.excuses += 1
        set_running_loop(None)
        self.quiet()
        self.stale = False
        self.check()
        self._expect(not self.waitlists.by_queue, "a waitlist is left behind")
        self._check_jobs()

    def forget(self, pop: Pop) -> None:
        """End a pop that is driven by hand, as the garbage collector would."""
        if pop in self.pops:
            self.pops.remove(pop)
            self.excuses += 1
            before = running_loop()
            if before is None and not self.closed:
                set_running_loop(pop.loop)
            try:
                pop.call.close()
            finally:
                set_running_loop(before)

    def _check_jobs(self) -> None:
        self._expect(all(count == 1 for count in self._deliveries.values()), "a delivery was handed out twice")
        if self.closed:
            return
        for job_id in self.pushed:
            job = self.storage.info_nowait(job_id)
            delivered = sum(count for (of, _), count in self._deliveries.items() if of == job_id)
            self._expect(job is None or job.delivery_count == delivered, "somebody took a job and had nothing of it")

    def _expect(self, holds: bool, broken: str) -> None:  # noqa: FBT001
        if not holds:
            raise self._broken(broken)

    def _broken(self, what: str) -> Broken:
        answers = [choice for choice, _ in self.choices.trail]
        return Broken("\n  ".join([what, *self.log, f"(answers {answers})"]))
