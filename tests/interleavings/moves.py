"""What may happen to a storage on which somebody waits: the moves of which scenes are made."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from jobcore import JobResult, Linear, NewJobInfo
from tests.interleavings.scene import INTERRUPT, LOOP, OUTSIDE, QUEUE, TIME, Move
from tests.interleavings.scheduler import finish
from tests.interleavings.world import World

BARGER = UUID(int=2**64)
HEARTBEAT = timedelta(seconds=0.2)


def _open(world: World) -> bool:
    return not world.closed


def _held(world: World) -> bool:
    return not world.closed and bool(world.held)


def push(where: str = LOOP, *, due: float = 0, priority: int = 0) -> Move:
    """A push: in the loop, from another thread, or out of a signal handler."""

    def act(world: World) -> None:
        job = NewJobInfo(
            "job",
            queue=QUEUE,
            priority=priority,
            next_queue=timedelta(seconds=due) if due else None,
            heartbeat_interval=HEARTBEAT,
            backoff=Linear(0),
        )
        world.stale = False
        world.pushed.append(world.storage.push_nowait(job))

    return Move(f"push ({where}{f', due in {due}' if due else ''})", act, _open, where)


def barge(where: str = LOOP) -> Move:
    """A pop that does not wait."""

    def act(world: World) -> None:
        job = world.storage.pop_nowait(QUEUE, BARGER)
        if job is not None:
            world.handed(job, BARGER)

    return Move(f"pop_nowait ({where})", act, _open, where)


def back(result: JobResult = JobResult.UNEXECUTED, where: str = LOOP, *, delay: float | None = None) -> Move:
    """The job that was handed out first comes back."""

    def act(world: World) -> None:
        job, runner = world.held.pop(next(iter(world.held)))
        world.excuses += 1
        world.stale = world.stale and result in {JobResult.SUCCESS, JobResult.DEAD}
        rest = None if delay is None else timedelta(seconds=delay)
        world.storage.complete_nowait(job.returned(result, runner, delay=rest))

    return Move(f"{result.name} ({where}{'' if delay is None else f', delay {delay}'})", act, _held, where)


def beat(where: str = LOOP) -> Move:
    """Whoever holds the job that was handed out first sends a heartbeat."""

    def act(world: World) -> None:
        world.excuses += 1
        job, runner = next(iter(world.held.values()))
        world.storage.heartbeat_nowait(job.id, runner)

    return Move(f"heartbeat ({where})", act, _held, where)


def come(loop: int = 0) -> Move:
    """A pop comes that may have to wait."""

    def act(world: World) -> None:
        world.come(world.loops[loop])

    return Move(f"a pop comes to loop {loop}", act, _open, LOOP)


def cancel(number: int, where: str = LOOP) -> Move:
    """A pop is cancelled, as a matter of course or by Ctrl-C.

    Not in the middle of its own step: there Ctrl-C makes a task forget what it returns, and no storage can help it.
    """

    def act(world: World) -> None:
        task = world.pops[number].task
        assert task is not None
        world.excuses += 1
        task.cancel()

    def possible(world: World) -> bool:
        pop = world.pops[number] if number < len(world.pops) else None
        return pop is not None and pop.waits and asyncio.current_task(pop.loop) is not pop.task

    return Move(f"pop {number} is cancelled ({where})", act, possible, where)


def forget(where: str = INTERRUPT) -> Move:
    """A pop that is driven by no task is collected."""

    def act(world: World) -> None:
        world.forget(next(pop for pop in world.pops if pop.task is None))

    def possible(world: World) -> bool:
        return any(pop.task is None and pop.waits for pop in world.pops)

    return Move(f"a pop is collected ({where})", act, possible, where)


def tick() -> Move:
    """Time passes until something happens."""
    return Move("time passes", World.pass_time, lambda world: world.next_event() is not None, TIME)


def jump(seconds: int) -> Move:
    """The wall clock is set."""

    def act(world: World) -> None:
        world.excuses += 1
        world.clock.offset += seconds * 1_000_000
        world.unnoticed = True

    return Move(f"the wall clock jumps by {seconds} s", act, _open, TIME)


def aclose(where: str = LOOP) -> Move:
    """The storage is closed."""

    def act(world: World) -> None:
        world.closed = True
        world.excuses += len(world.pops)
        finish(world.storage.aclose())

    return Move(f"aclose ({where})", act, _open, where)


def close(loop: int) -> Move:
    """A loop is closed, whoever waits in it."""

    def act(world: World) -> None:
        world.excuses += 1
        world.loops[loop].close()
        world.stale = True

    def possible(world: World) -> bool:
        return world.running is not world.loops[loop] and not world.loops[loop].is_closed()

    return Move(f"loop {loop} is closed", act, possible, OUTSIDE)


def collect(loop: int) -> Move:
    """The garbage collector ends the tasks of a loop that was closed."""

    def act(world: World) -> None:
        world.loops[loop].collect()

    return Move(f"the tasks of loop {loop} are collected", act, lambda world: world.loops[loop].is_closed(), OUTSIDE)
