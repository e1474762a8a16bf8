"""The command line on a durable storage: pushed in one process, worked on in others, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.shell import Shell

MODULE = """
    import asyncio, os
    from datetime import timedelta
    from pathlib import Path
    from jobcore import App

    app = App("sqlite:///jobs.db")

    @app.job(heartbeat_interval=timedelta(seconds=0.2))
    async def work(number: int, seconds: float = 0.0) -> None:
        print("runs", number, os.getpid(), flush=True)
        await asyncio.sleep(seconds)
        print("done", number, os.getpid(), flush=True)
"""


def stats(shell: Shell) -> dict[str, int]:
    code, output = shell.run("stats", "module:app", "--json")
    assert 0 == code, output
    found: dict[str, int] = json.loads(output)
    return found


def test_a_job_is_pushed_looked_at_and_carried_out_by_different_processes(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    code, output = shell.run("push", "module:app", "work", '{"number": 5}', "--priority", "3")
    assert 0 == code, output
    job_id = output.strip()

    code, output = shell.run("info", "sqlite:///jobs.db", job_id)
    assert 0 == code
    assert re.search(r'^name +work$[\s\S]*^arguments +\{"number":5\}$[\s\S]*^priority +3$', output, re.MULTILINE), (
        output
    )
    assert 1 == stats(shell)["jobs"]
    code, output = shell.run("push", "module:app", "wrok")
    assert (2, True) == (code, "there are: work" in output), output
    code, output = shell.run("push", "module:app", "work", '{"nummer": 5}')
    assert (2, True) == (code, "cannot be called so" in output), output

    with shell.start("worker", "module:app") as worker:
        worker.until("succeeded")
        worker.signal(signal.SIGTERM)
        assert 0 == worker.end()[0]
    assert 0 == stats(shell)["jobs"]
    assert 1 == shell.run("info", "module:app", job_id)[0]


@pytest.mark.skipif(sys.platform == "win32", reason="processes of one parent need process groups")
def test_a_killed_process_is_replaced_and_its_job_comes_back(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    assert 0 == shell.run("push", "module:app", "work", '{"number": 1, "seconds": 3600}')[0]
    with shell.start("worker", "module:app", "--processes", "2", "--grace", "0.1") as worker:
        worker.until("started")
        first = re.search(r"runs 1 (\d+)", worker.until("runs 1"))
        assert first is not None
        os.kill(int(first[1]), signal.SIGKILL)
        again = re.search(r"runs 1 (\d+)", worker.until("runs 1"))
        assert again is not None
        assert first[1] != again[1]
        worker.signal(signal.SIGTERM)
        code, output = worker.end()
        assert 0 == code, output
    assert (1, 0) == (stats(shell)["jobs"], stats(shell)["running"]), "handed back, not left to its lease"


@pytest.mark.skipif(sys.platform == "win32", reason="processes of one parent need process groups")
def test_workers_whose_supervisor_is_killed_hand_back_what_they_run_and_end(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    assert 0 == shell.run("push", "module:app", "work", '{"number": 1, "seconds": 3600}')[0]
    with shell.start("worker", "module:app", "--processes", "2", "--grace", "0.1") as supervisor:
        supervisor.until("runs 1")
        supervisor.signal(signal.SIGKILL)
        code, output = supervisor.end()  # when the last of them has closed its end of the pipe
    assert (-signal.SIGKILL, True) == (code, "the supervisor is gone: stopping" in output), output
    assert (1, 0) == (stats(shell)["jobs"], stats(shell)["running"])


@pytest.mark.skipif(sys.platform == "win32", reason="processes of one parent need process groups")
def test_a_process_that_does_not_end_is_killed_by_its_supervisor(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    assert 0 == shell.run("push", "module:app", "work", '{"number": 1, "seconds": 3600}')[0]
    with shell.start("worker", "module:app", "--processes", "2", "--grace", "0.1") as worker:
        stopped = re.search(r"runs 1 (\d+)", worker.until("runs 1"))
        assert stopped is not None
        os.kill(int(stopped[1]), signal.SIGSTOP)
        worker.signal(signal.SIGTERM)
        code, output = worker.end()
    assert (0, True) == (code, f"worker process {stopped[1]} does not end, and is killed" in output), output


def test_a_job_is_due_when_the_command_says_so(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    code, output = shell.run("push", "module:app", "work", '{"number": 1}', "--at", "2050-01-31T12:00:00+01:00")
    assert 0 == code, output
    code, output = shell.run("info", "module:app", output.strip(), "--json")
    assert (0, "2050-01-31T11:00:00+00:00") == (code, json.loads(output)["next_queue"])
    code, output = shell.run("push", "module:app", "work", '{"number": 2}', "--after", "1e9")
    assert 0 == code, output
    code, output = shell.run("info", "module:app", output.strip(), "--json")
    assert (0, True) == (code, json.loads(output)["next_queue"] > "2050"), output


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_sees_how_far_a_copy_is(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    for number in range(2):
        assert 0 == shell.run("push", "module:app", "work", f'{{"number": {number}}}')[0]
    ours, theirs = os.openpty()
    with shell.start("copy", "module:app", "sqlite:///other.db", errors=theirs) as command:
        os.close(theirs)
        assert (0, "2 jobs moved\n") == command.end()
    assert b"\r2 jobs moved" == os.read(ours, 4096)
    os.close(ours)


def test_jobs_move_from_one_file_to_another(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    for number in range(3):
        assert 0 == shell.run("push", "module:app", "work", f'{{"number": {number}}}')[0]
    code, output = shell.run("copy", "module:app", "sqlite:///other.db")
    assert (0, "3 jobs moved\n") == (code, output)
    assert 0 == stats(shell)["jobs"]
    assert '"jobs": 3' in shell.run("stats", "sqlite:///other.db", "--json")[1]
    code, output = shell.run("copy", "memory://", "sqlite:///other.db")
    assert (2, True) == (code, "keeps no jobs beyond the process" in output), output


def test_a_schema_is_made_by_its_own_command(shell: Shell) -> None:
    shell.write(
        "module.py", 'from jobcore import App, SqliteStorage\napp = App(SqliteStorage("jobs.db", migrate=False))'
    )
    code, output = shell.run("stats", "module:app")
    assert (2, True) == (code, "run: jobcore migrate sqlite:///" in output), output
    code, output = shell.run("migrate", "sqlite:///jobs.db")
    assert (0, "sqlite:///jobs.db is up to date\n") == (code, output)
    assert 0 == shell.run("stats", "module:app")[0]
    assert 2 == shell.run("migrate", "memory://")[0]
