"""The bridge of programs without an event loop, in a child that was forked from one that used it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("anyio")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

FORK = """
import asyncio, os, sys, warnings
from jobcore import App, MemoryStorage

warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
bridge = App(MemoryStorage()).blocking()
assert bridge(asyncio.sleep(0, 1)) == 1
{before}
child = os.fork()
if child == 0:
    {in_child}
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert bridge(asyncio.sleep(0, 2)) == 2
"""


def run(in_child: str, before: str = "") -> None:
    script = FORK.format(in_child=in_child, before=before)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert (0, "") == (done.returncode, done.stderr)


def test_a_forked_child_gets_a_thread_of_its_own() -> None:
    run("assert bridge(asyncio.sleep(0, 3)) == 3; bridge.close()")


def test_a_forked_child_that_does_not_use_it_ends_as_ever() -> None:
    run("pass")


def test_a_forked_child_may_close_what_it_inherited() -> None:
    run("bridge.close()")


def test_a_forked_child_may_forget_what_it_inherited() -> None:
    run("del bridge; import gc; gc.collect()")


def test_a_fork_while_another_thread_opens_it_locks_nobody_out() -> None:
    held = "lock = bridge._lock; lock.acquire(); os.register_at_fork(after_in_parent=lock.release)"
    run("assert bridge(asyncio.sleep(0, 3)) == 3", before=held)
