"""No ring is lost, and none is needed twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from jobcore.contrib._waiting import Waiters

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0


def waiting(waiters: Waiters, look: Callable[[], str | None], found: list[str | None]) -> threading.Thread:
    """A thread that waits, and has looked once."""
    before = len(waiters._lines.get("key", ()))
    thread = threading.Thread(target=lambda: found.append(waiters.wait("key", look, PATIENCE)))
    thread.start()
    while len(waiters._lines.get("key", ())) <= before:
        threading.Event().wait(0.001)
    return thread


def test_a_ring_that_came_beside_what_was_found_goes_on_to_the_next() -> None:
    waiters = Waiters()
    things: list[str] = []
    found: list[str | None] = []
    other = waiting(waiters, lambda: things.pop() if things else None, found)

    def look() -> str:
        # While this one looks, what the other waits for comes, and rings the first in the line: this one.
        with waiters.lock:
            waiters._lines["key"].rotate()
        things.append("second")
        waiters.ring("key")
        return "first"

    assert "first" == waiters.wait("key", look, PATIENCE)
    other.join(PATIENCE)
    assert ["second"] == found


def test_who_is_interrupted_leaves_the_line_and_passes_its_ring_on() -> None:
    waiters = Waiters()
    things: list[str] = []
    found: list[str | None] = []
    other = waiting(waiters, lambda: things.pop() if things else None, found)

    def look() -> None:
        with waiters.lock:
            waiters._lines["key"].rotate()
        things.append("thing")
        waiters.ring("key")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        waiters.wait("key", look, PATIENCE)
    other.join(PATIENCE)
    assert ["thing"] == found
    assert not waiters


def test_a_ring_to_all_ends_every_wait() -> None:
    waiters = Waiters()
    things: list[str] = []
    found: list[str | None] = []
    threads = [waiting(waiters, lambda: things[0] if things else None, found) for _ in range(3)]
    things.append("thing")
    waiters.ring_all()
    for thread in threads:
        thread.join(PATIENCE)
    assert ["thing"] * 3 == found


def test_nobody_is_left_in_the_line_after_a_timeout() -> None:
    waiters = Waiters()
    assert waiters.wait("key", lambda: None, 0.001) is None
    assert not waiters


def test_what_comes_by_itself_is_found_when_it_comes_and_not_at_the_end_of_the_wait() -> None:
    waiters = Waiters()
    looks: list[None] = []

    def look() -> str | None:
        looks.append(None)
        return "due" if len(looks) == 3 else None

    assert "due" == waiters.wait("key", look, PATIENCE, lambda: 0.001)
    assert not waiters


def test_when_it_comes_is_asked_anew_after_each_ring() -> None:
    waiters = Waiters()
    things: list[str] = []
    found: list[str | None] = []
    rests = [PATIENCE]

    def look() -> str | None:
        return things[0] if things else None

    thread = threading.Thread(target=lambda: found.append(waiters.wait("key", look, None, lambda: rests[0])))
    thread.start()
    while not waiters:
        threading.Event().wait(0.001)
    rests[0] = 0.001
    waiters.ring("key")
    things.append("sooner")
    thread.join(PATIENCE / 2)
    assert ["sooner"] == found
