"""SIGINT and SIGTERM on the event loop, for a while."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def handle_signals(handler: Callable[[int], None]) -> Generator[None]:
    """Call `handler` on the running loop at each signal; off the main thread, which has no signals, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def handle(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handler, number)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    # The loop's own way, where it has one, also ends its sleep.
    with suppress(NotImplementedError):
        for number in SIGNALS:
            loop.add_signal_handler(number, handler, number)
    try:
        yield
    finally:
        for number, handler_before in before.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler_before)
