"""Threads that call a `GroupCommit` at the same time."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jobcore.contrib._committing import GroupCommit

PATIENCE = 30.0


def started(work: Callable[[], Any]) -> threading.Thread:
    """A thread that does this."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def in_company(group: GroupCommit, works: Sequence[Callable[[], Any]]) -> list[BaseException | None]:
    """What these raise in one transaction: they come, one after the other, while another one is held up."""
    held, go = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        held.set()
        assert go.wait(PATIENCE)

    leader = started(lambda: group.read(hold))
    assert held.wait(PATIENCE)
    raised: list[BaseException | None] = [None] * len(works)

    def run(place: int) -> None:
        try:
            works[place]()
        except BaseException as error:  # noqa: BLE001  (the test looks at it)
            raised[place] = error

    threads: list[threading.Thread] = []
    for place in range(len(works)):
        threads.append(started(partial(run, place)))
        while len(group._queue) <= place:
            threading.Event().wait(0.001)
    go.set()
    for thread in (leader, *threads):
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return raised
