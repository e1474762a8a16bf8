"""The sleep of a storage whose pops wait: what ends it, and what it costs where others write without end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from jobcore import NewJobInfo, SqliteStorage
from jobcore.sqlite import watching
from jobcore.sqlite.watching import Watch, open_ear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOUR = 3600.0
PUSH = """
import asyncio, sys
from jobcore import NewJobInfo, SqliteStorage
async def main():
    async with SqliteStorage(sys.argv[1]) as storage:
        await storage.push(NewJobInfo("from another process"))
asyncio.run(main())
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of writes to a file")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.touch()
    return path


@pytest.fixture
def _deep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is heard, and what rings, ends a sleep in the time of a test."""
    monkeypatch.setattr(watching, "NET", HOUR)


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], None]], threading.Thread]]:
    threads: list[threading.Thread] = []

    def start(act: Callable[[], None]) -> threading.Thread:
        threads.append(threading.Thread(target=act, daemon=True))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def never() -> bool:
    return False


def test_a_ring_before_the_sleep_and_one_amid_it_end_it(
    log: Path, in_thread: Callable[[Callable[[], None]], threading.Thread]
) -> None:
    for path in (log, log.parent / "missing"):
        watch = Watch()
        watch.listen(str(path))
        watch.ring()
        watch.sleep(HOUR, never)
        sleeper = in_thread(partial(watch.sleep, HOUR, never))
        watch.ring()
        sleeper.join(60)
        assert not sleeper.is_alive()


@linux
def test_a_ring_that_ended_a_sleep_does_not_end_the_next_one_too(
    log: Path, in_thread: Callable[[Callable[[], None]], threading.Thread]
) -> None:
    watch = Watch()
    watch.listen(str(log))
    sleeper = in_thread(partial(watch.sleep, HOUR, never))
    while not watch._listens:
        time.sleep(0)
    watch.ring()
    sleeper.join(60)
    assert watch._bell.locked()


def test_no_ring_of_many_threads_is_missed(
    log: Path, in_thread: Callable[[Callable[[], None]], threading.Thread]
) -> None:
    watch = Watch()
    watch.listen(str(log))
    todo, done = [threading.Semaphore(0) for _ in range(4)], [0] * 4

    def sleep() -> None:
        while any(count < 500 for count in done):
            watch.sleep(HOUR, never)
            for number, semaphore in enumerate(todo):
                while semaphore.acquire(blocking=False):
                    done[number] += 1

    def ring(number: int) -> None:
        for count in range(500):
            todo[number].release()
            watch.ring()
            while count % 50 == 49 and done[number] <= count:  # or all rings would melt into a few
                time.sleep(0)

    in_thread(sleep)
    for number in range(4):
        in_thread(partial(ring, number))


@linux
@pytest.mark.usefixtures("_deep")
def test_a_write_is_followed_by_looks_until_what_was_written_shows(
    log: Path, in_thread: Callable[[Callable[[], None]], threading.Thread]
) -> None:
    watch = Watch()
    watch.listen(str(log))
    looks: list[int] = []
    quiet, written = threading.Event(), threading.Event()

    def shows() -> bool:
        looks.append(1)
        if watch._pause >= HOUR:
            quiet.set()
        # The first looks after a write come before its commit.
        return written.is_set() and len(looks) > before + 4

    sleeper = in_thread(lambda: watch.sleep(HOUR, shows))
    assert quiet.wait(60)
    before = len(looks)
    written.set()
    log.write_bytes(b"a commit")
    sleeper.join(60)
    assert not sleeper.is_alive()


def test_without_an_ear_it_looks_again_and_again(log: Path) -> None:
    watch = Watch()
    watch.listen(str(log))
    watch.deafen()
    looks: list[int] = []

    def shows() -> bool:
        looks.append(1)
        return len(looks) == 20

    watch.sleep(HOUR, shows)
    assert len(looks) == 20


@linux
def test_who_writes_without_end_is_looked_at_no_more_often_than_the_budget_allows(
    log: Path, in_thread: Callable[[Callable[[], None]], threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "BURST", 10.0)
    watch = Watch()
    watch.listen(str(log))
    looks, over = [0], threading.Event()

    def look() -> bool:
        looks[0] += 1
        return False

    def write() -> None:
        with log.open("wb", buffering=0) as file:
            while not over.wait(0.000_5):
                file.write(b"a commit")

    in_thread(write)
    began = time.monotonic()
    watch.sleep(1.0, look)
    lasted = time.monotonic() - began
    over.set()
    # While the budget is spent it looks every WATCH, which pays back more than it takes.
    assert looks[0] <= watching.BURST + 1 + lasted * watching.RATE


@linux
def test_an_own_write_is_forgotten_and_the_next_one_of_others_is_heard(log: Path) -> None:
    watch = Watch()
    watch.listen(str(log))
    ear = watch._ear
    assert ear is not None
    with log.open("wb", buffering=0) as file:
        file.write(b"own")
        watch.forget()
        watch.forget()
        assert (False, False) == ear.wait(0)

        file.write(b"another's")
        assert (False, True) == ear.wait(0)


@linux
def test_a_ring_on_its_way_keeps_the_ear_open(log: Path) -> None:
    ear = open_ear(str(log))
    assert ear is not None
    door = ear._door
    ring = ear.ring
    del ear
    ring()
    del ring
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(door)


@linux
@pytest.mark.usefixtures("_deep")
def test_a_pop_that_waits_hears_the_push_of_another_process(path: Path) -> None:
    async def run() -> None:
        async with SqliteStorage(path) as storage:
            for _ in range(3):
                pop = asyncio.create_task(storage.pop("default", UUID(int=1)))
                engine: Any = storage._engine
                while engine._watch._pause < HOUR:
                    await asyncio.sleep(0.005)
                process = await asyncio.create_subprocess_exec(sys.executable, "-c", PUSH, str(path))
                assert await process.wait() == 0
                assert (await asyncio.wait_for(pop, 60)).name == "from another process"

    asyncio.run(run())


@linux
def test_where_the_kernel_has_no_more_watches_to_give_a_pop_looks_for_the_pushes_of_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exhausted:
        inotify_add_watch = None

        @staticmethod
        def inotify_init1(_flags: int) -> int:
            return -1

    def eventfd(*options: int) -> int:
        doors.append(made(*options))
        return doors[-1]

    async def run() -> None:
        async with SqliteStorage(path) as storage, SqliteStorage(path) as other:
            await storage.push(NewJobInfo("mine"))
            assert "mine" == (await storage.pop("default", UUID(int=1))).name
            pop = asyncio.create_task(storage.pop("default", UUID(int=1)))
            await other.push(NewJobInfo("another's"))
            assert "another's" == (await asyncio.wait_for(pop, 60)).name

    doors: list[int] = []
    made = os.eventfd
    monkeypatch.setattr(os, "eventfd", eventfd)
    monkeypatch.setattr(pytest.importorskip("ctypes"), "CDLL", lambda _name: Exhausted)
    assert open_ear(str(path)) is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(doors[-1])
    asyncio.run(run())


@linux
def test_a_closed_storage_leaves_no_descriptor_behind(path: Path) -> None:
    script = (
        "import asyncio, os, sys, uuid\nfrom jobcore import SqliteStorage\n"
        "async def main():\n"
        "    async with SqliteStorage(sys.argv[1]) as storage:\n"
        "        pop = asyncio.create_task(storage.pop('default', uuid.uuid4()))\n"
        "        await storage.stats()\n"
        "        pop.cancel()\n"
        "        await asyncio.gather(pop, return_exceptions=True)\n"
        "def opened():\n"
        "    return len(os.listdir('/proc/self/fd'))\n"
        "asyncio.run(main())\n"
        "before = opened()\n"
        "for _ in range(20):\n"
        "    asyncio.run(main())\n"
        "assert opened() == before, (before, opened())\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=100)
