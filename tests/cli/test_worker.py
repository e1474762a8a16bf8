"""`jobcore worker` in a process of its own: signals, logs, and how it ends."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.shell import Shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there, no signal comes to one process alone")

# The app has its jobs from its own lifespan: the storage lives in the worker's process.
MODULE = """
    import asyncio, hashlib, time
    from contextlib import asynccontextmanager
    from jobcore import App, JobContext, MemoryStorage

    storage = MemoryStorage()

    @asynccontextmanager
    async def lifespan(app):
        await start.push()
        yield
        print("stats", storage.stats().running, storage.stats().returned, flush=True)

    app = App(storage, lifespan=lifespan)

    @app.job
    async def start() -> None:
        for number in range(10):
            await work.push(number)

    @app.job
    async def work(number: int) -> None:
        if number == 9:
            print("all run", flush=True)
        await asyncio.sleep(3600)

    hanging = App(MemoryStorage(), lifespan=lambda app: pushed(app, "hang"))
    blocking = App(MemoryStorage(), lifespan=lambda app: pushed(app, "block"))
    failing = App(MemoryStorage(), lifespan=lambda app: pushed(app, "fail"))

    @asynccontextmanager
    async def pushed(app, name):
        await app.jobs[name].push()
        yield

    @hanging.job
    def hang() -> None:
        print("hangs", flush=True)
        time.sleep(3600)

    @blocking.job
    async def block() -> None:
        print("hangs", flush=True)
        time.sleep(3600)

    deaf = App(MemoryStorage(), lifespan=lambda app: pushed(app, "compute"))

    @deaf.job
    async def compute() -> None:
        print("hangs", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # heeds no signal

    closing = App(MemoryStorage(), lifespan=lambda app: pushed(app, "close"))

    @closing.job
    async def close() -> None:
        await hang_as_well.push()

    @closing.job
    def hang_as_well() -> None:
        asyncio.run(closing.storage.aclose())
        time.sleep(3600)

    @failing.job(max_retries=0)
    async def fail(ctx: JobContext) -> None:
        ctx.logger.warning("at work")
        raise ValueError("broken")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_hands_the_jobs_back_and_ends_with_0(shell: Shell, number: signal.Signals) -> None:
    shell.write("module.py", MODULE)
    with shell.start("worker", "module:app", "-q", "default=20", "--grace", "0.1") as worker:
        worker.until("all run")
        worker.signal(number)
        code, output = worker.end()
    assert 0 == code, output
    assert "stats 0 10\n" in output, "none is left leased"
    assert "Traceback" not in output


@pytest.mark.parametrize("grace", ["3600", "1e+300"])
def test_a_second_signal_does_not_wait_for_the_grace(shell: Shell, grace: str) -> None:
    shell.write("module.py", MODULE)
    with shell.start("worker", "module:app", "-q", "default=20", "--grace", grace) as worker:
        worker.until("all run")
        worker.signal(signal.SIGTERM)
        worker.until(f"stopping, with {grace} s for what runs")
        worker.signal(signal.SIGTERM)
        code, output = worker.end()
    assert 0 == code, output
    assert "stats 0 10\n" in output
    assert "Traceback" not in output


def test_a_signal_before_the_worker_begins_ends_it_at_once(shell: Shell) -> None:
    shell.write("module.py", 'import time\nprint("begins", flush=True)\ntime.sleep(3600)\n')
    with shell.start("worker", "module:app") as worker:
        worker.until("begins")
        worker.signal(signal.SIGTERM)
        assert (0, "") == worker.end()


def test_a_worker_that_ends_without_being_asked_has_failed_whatever_hangs(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    with shell.start("worker", "module:closing", "--grace", "0.1") as worker:
        code, output = worker.end()
    assert 1 == code, output
    assert "the worker stops: this storage takes no calls" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("app", ["hanging", "blocking", "deaf"])
def test_what_hangs_does_not_hold_up_the_end(shell: Shell, app: str) -> None:
    shell.write("module.py", MODULE)
    with shell.start("worker", f"module:{app}", "--grace", "0.1") as worker:
        worker.until("hangs")
        worker.signal(signal.SIGTERM)
        code, output = worker.end()
    assert 0 == code, output


def test_logs_are_lines_of_json_for_those_who_ask(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    with shell.start("worker", "module:failing", "--log-format", "json") as worker:
        lines = [json.loads(line) for line in worker.until("is dead").splitlines()]
        worker.signal(signal.SIGTERM)
        assert 0 == worker.end()[0]
    own = next(line for line in lines if line["message"] == "at work")
    assert ("warning", "jobcore.job", "fail", "default", 1) == (
        own["level"],
        own["logger"],
        own["job_name"],
        own["queue"],
        own["delivery"],
    )
    assert "ValueError: broken" in lines[-1]["traceback"]


def test_logs_are_short_lines_without_colours_elsewhere(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    with shell.start("worker", "module:failing") as worker:
        output = worker.until("ValueError: broken\n")
        worker.signal(signal.SIGTERM)
        assert 0 == worker.end()[0]
    assert "\x1b" not in output
    assert "error   job fail" in output
