from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from jobcore.storage import Clock, Timer
from jobcore.testing import FakeClock, settle


def run(scene: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await scene(FakeClock())

    asyncio.run(bounded())


def test_it_is_a_clock_and_a_timer() -> None:
    clock = FakeClock()

    assert isinstance(clock, Clock)
    assert isinstance(clock, Timer)


def test_time_stands_still_until_it_is_moved() -> None:
    async def scene(clock: FakeClock) -> None:
        before = clock.time_ns(), clock.monotonic_ns()
        await settle()
        assert before == (clock.time_ns(), clock.monotonic_ns())

        await clock.advance(1.5)
        assert (before[0] + 1_500_000_000, before[1] + 1_500_000_000) == (clock.time_ns(), clock.monotonic_ns())

    run(scene)


def test_timers_fire_in_the_order_of_their_deadlines_each_at_its_own_time() -> None:
    async def scene(clock: FakeClock) -> None:
        fired: list[tuple[float, int]] = []
        start = clock.monotonic_ns()

        async def wait(seconds: float) -> None:
            with pytest.raises(TimeoutError):
                await clock.timeout(seconds, asyncio.Event().wait())
            fired.append((seconds, clock.monotonic_ns() - start))

        tasks = [asyncio.create_task(wait(seconds)) for seconds in (3, 1, 2, 5)]
        await clock.advance(4)

        assert [(1, 1_000_000_000), (2, 2_000_000_000), (3, 3_000_000_000)] == fired
        assert 1 == clock.timers
        await clock.advance(1)
        await asyncio.gather(*tasks)
        assert 0 == clock.timers

    run(scene)


def test_a_timer_that_is_set_when_another_fires_fires_too() -> None:
    async def scene(clock: FakeClock) -> None:
        start = clock.monotonic_ns()

        async def wait() -> int:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await clock.timeout(1, asyncio.Event().wait())
            return clock.monotonic_ns() - start

        task = asyncio.create_task(wait())
        await clock.advance(10)

        assert 3_000_000_000 == await task

    run(scene)


def test_what_is_ready_wins() -> None:
    async def scene(clock: FakeClock) -> None:
        event = asyncio.Event()
        waiting = asyncio.create_task(clock.timeout(1, event.wait()))
        await settle()
        event.set()

        assert await waiting is True
        assert 0 == clock.timers
        await clock.advance(2)

    run(scene)


def test_no_time_at_all_is_a_timeout_at_once() -> None:
    async def scene(clock: FakeClock) -> None:
        for seconds in (0, -1):
            with pytest.raises(TimeoutError):
                await clock.timeout(seconds, asyncio.Event().wait())
        assert 0 == clock.timers

    run(scene)


def test_what_needs_no_wait_wins_against_no_time_at_all() -> None:
    async def scene(clock: FakeClock) -> None:
        errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
        for seconds in (0, -1):
            assert "at once" == await clock.timeout(seconds, at_once())
        await settle()
        assert [] == errors

    async def at_once() -> str:
        return "at once"

    run(scene)


def test_a_cancelled_wait_is_cancelled() -> None:
    async def scene(clock: FakeClock) -> None:
        task = asyncio.create_task(clock.timeout(1, asyncio.Event().wait()))
        await settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert 0 == clock.timers
        await clock.advance(2)

    run(scene)


def test_the_wall_clock_jumps_alone() -> None:
    clock = FakeClock()
    wall, monotonic = clock.time_ns(), clock.monotonic_ns()
    clock.jump_wall(-60)

    assert (wall - 60_000_000_000, monotonic) == (clock.time_ns(), clock.monotonic_ns())


def test_what_is_skipped_fires_with_the_next_advance() -> None:
    async def scene(clock: FakeClock) -> None:
        task = asyncio.create_task(clock.timeout(1, asyncio.Event().wait()))
        await settle()
        clock.skip(5)
        await settle()
        assert not task.done()

        await clock.advance(0)
        assert isinstance(task.exception(), TimeoutError)

    run(scene)


def test_time_does_not_go_back() -> None:
    async def scene(clock: FakeClock) -> None:
        with pytest.raises(ValueError, match="forward"):
            await clock.advance(-1)
        with pytest.raises(ValueError, match="forward"):
            clock.skip(-0.1)

    run(scene)


def test_a_poll_without_end_is_told() -> None:
    async def scene(clock: FakeClock) -> None:
        async def poll() -> None:
            while True:
                with pytest.raises(TimeoutError):
                    await clock.timeout(0.000_001, asyncio.Event().wait())

        task = asyncio.create_task(poll())
        with pytest.raises(RuntimeError, match="polls"):
            await clock.advance(1)
        task.cancel()

    run(scene)


def test_timers_of_another_loop_fire_too() -> None:
    async def scene(clock: FakeClock) -> None:
        waits = threading.Event()

        async def never() -> None:
            waits.set()
            await asyncio.Event().wait()

        async def wait() -> None:
            with pytest.raises(TimeoutError):
                await clock.timeout(1, never())

        elsewhere = asyncio.ensure_future(asyncio.to_thread(asyncio.run, wait()))
        await asyncio.to_thread(waits.wait, 10)
        await clock.advance(1)
        await elsewhere

    run(scene)


def test_a_timer_of_a_loop_that_is_closed_keeps_no_other_from_firing() -> None:
    def abandon(clock: FakeClock) -> asyncio.Task[Any]:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda _loop, _context: None)  # of a pending task: it is the point
        waiting = loop.create_task(clock.timeout(1, asyncio.Event().wait()))
        loop.run_until_complete(settle())
        loop.close()
        return waiting

    async def scene(clock: FakeClock) -> None:
        abandoned = await asyncio.to_thread(abandon, clock)
        here = asyncio.create_task(clock.timeout(2, asyncio.Event().wait()))
        await settle()
        assert 2 == clock.timers
        await clock.advance(1)
        assert 1 == clock.timers
        await clock.advance(1)
        assert isinstance(here.exception(), TimeoutError)
        del abandoned

    run(scene)


def test_repr_shows_the_time() -> None:
    assert "<FakeClock 2030-03-17T17:46:40+00:00, monotonic 1000.0 s>" == repr(FakeClock())


def test_the_clock_needs_no_pytest() -> None:
    code = "import sys; sys.modules['pytest'] = None; from jobcore.testing import FakeClock, ModelStorage; FakeClock()"

    subprocess.run([sys.executable, "-c", code], check=True)
