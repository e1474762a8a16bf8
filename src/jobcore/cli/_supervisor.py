"""Several worker processes under one parent: started afresh, not forked; one that dies is replaced."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

_logger = logging.getLogger("jobcore.cli")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds before a process that died is replaced."""
LIVED = 60.0
"""Seconds after which a process counts as one that had begun well."""
PATIENCE = 3.0
"""Seconds after the grace when a process that is still there is killed."""


class Supervisor:
    """Keeps so many processes of `jobcore worker` at work until it gets a signal."""

    def __init__(self, processes: int, arguments: list[str], grace: float) -> None:
        self._processes = processes
        self._command = [sys.executable, "-m", "jobcore", "worker", *arguments, "--lifeline"]
        self._grace = grace
        self._children: set[Process] = set()
        self._signals: list[int] = []
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Return when all processes have ended after a signal."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled, number)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._processes):
                group.create_task(self._keep())

    def _signalled(self, number: int) -> None:
        self._signals.append(number)
        self._stopping.set()
        for child in self._children:
            _pass_on(child, [number])

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            started = time.monotonic()
            child = await self._start()
            try:
                code = await self._ended(child)
            finally:
                self._children.discard(child)
            if self._stopping.is_set():
                return
            if time.monotonic() - started > LIVED:
                pause = FIRST_PAUSE
            _logger.warning("worker process %d died (exit code %d); a new one in %.1f s", child.pid, code, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _start(self) -> Process:
        # A process group of its own: Ctrl-C at a terminal must reach the child once, from here.
        child = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, process_group=0)
        self._children.add(child)
        _logger.info("worker process %d started", child.pid)
        _pass_on(child, self._signals)
        return child

    async def _ended(self, child: Process) -> int:
        ending = asyncio.ensure_future(child.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([ending, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ending.done():
            await asyncio.wait([ending], timeout=self._grace + PATIENCE)
        if not ending.done():
            _logger.error("worker process %d does not end, and is killed", child.pid)
            child.kill()
        return await ending


def _pass_on(child: Process, numbers: list[int]) -> None:
    if numbers and child.stdin is not None and not child.stdin.is_closing():
        child.stdin.write(bytes(numbers))
