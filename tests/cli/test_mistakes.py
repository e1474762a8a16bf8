"""What the user did wrong is one line that says so, and exit code 2: never a traceback."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.shell import Shell

MODULE = """
    from jobcore import App, MemoryStorage

    app = App("memory://")
    number = 5

    @app.job
    def work(number: int) -> None: ...

    class Plain:
        async def info(self, job_id): ...
        push = pop = heartbeat = complete = info

    plain = App(Plain())
"""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["worker", "nowhere:app"], "there is no module 'nowhere'"),
        (["worker", "nowhere.inside:app"], "there is no module"),
        (["worker", "module"], "write module:app"),
        (["worker", "module:missing"], "module 'module' has no 'missing'"),
        (["worker", "module:number"], "module:number is not an App: it is of type int"),
        (["worker", "broken:app"], "broken.py:1: ZeroDivisionError: division by zero"),
        (["worker", "unparsable:app"], "SyntaxError"),
        (["worker", "needs:app"], "No module named 'something_else'"),
        (["worker", "module:app", "-q", "default"], "write it like default=8"),
        (["worker", "module:app", "-q", "default=0"], "write it like default=8"),
        (["worker", "module:app", "--grace", "long"], "no number of seconds"),
        (["worker", "module:app", "--grace", "inf"], "must be 0 seconds or more, and finite"),
        (["worker", "module:app", "--grace", "-1"], "must be 0 seconds or more, and finite"),
        (["worker", "module:app", "--processes", "2"], "each of the processes would have jobs of its own"),
        (["push", "module:app", "work", '{"number": 1}'], "the job would vanish with this process"),
        (["push", "module:app", "work", "{"], "this is no JSON"),
        (["push", "module:app", "work", "[" * 10_000], "this is no JSON"),
        (["push", "module:app", "work", "{}", "--at", "2030-01-01"], "no offset from UTC"),
        (["push", "module:app", "work", "{}", "--at", "soon"], "no date and time in ISO 8601"),
        (["push", "module:app", "work", "{}", "--after", "1e300"], "seconds are too many"),
        (["info", "memory://", "5"], "not a valid UUID"),
        (["info", "nowhere://", "01a20e58-ee80-72dd-9a40-f2677a1cd979"], "'nowhere://' has an unknown scheme"),
        (["unknown"], "No such command 'unknown'"),
        (["stats"], "Missing argument 'TARGET'"),
        (["stats", "module:plain"], "a Plain does not count"),
    ],
)
def test_a_mistake_is_one_line(shell: Shell, arguments: list[str], reason: str) -> None:
    shell.write("module.py", MODULE)
    shell.write("broken.py", "1 / 0\n")
    shell.write("unparsable.py", "app = (\n")
    shell.write("needs.py", "import something_else\n")

    code, output = shell.run(*arguments)

    assert 2 == code, output
    assert reason in output
    assert "Traceback" not in output
    assert 1 == len(output.splitlines()), output


def test_a_module_that_raises_shows_its_traceback_when_asked(shell: Shell) -> None:
    shell.write("broken.py", "1 / 0\n")
    code, output = shell.run("worker", "broken:app", "--log-level", "debug")
    assert 2 == code
    assert "Traceback" in output


def test_a_job_that_is_not_there_is_exit_code_1(shell: Shell) -> None:
    code, output = shell.run("info", "memory://", "01a20e58-ee80-72dd-9a40-f2677a1cd979")
    assert 1 == code
    assert "there is no job 01a20e58-ee80-72dd-9a40-f2677a1cd979" in output


def test_what_needs_no_app_is_there_without_one(shell: Shell) -> None:
    code, output = shell.run("version")
    assert (0, True) == (code, output.startswith("jobcore ")), output
    code, output = shell.run("stats", "memory://")
    assert (0, True) == (code, "jobs" in output), output
    for name in ("bash", "zsh", "fish"):
        code, output = shell.run("completion", name)
        assert (0, True) == (code, "_JOBCORE_COMPLETE" in output), output
    code, output = shell.run("--help")
    assert (0, True) == (code, "worker" in output), output


def test_nothing_at_all_shows_the_help(shell: Shell) -> None:
    code, output = shell.run()
    assert (2, True) == (code, output.startswith("Usage: jobcore ")), output


def test_an_app_is_found_from_the_current_directory_however_the_command_was_started(shell: Shell) -> None:
    shell.write("module.py", MODULE)
    shell.environment["PYTHONSAFEPATH"] = "1"  # as where a script was started, the directory is not on the path
    code, output = shell.run("stats", "module:app")
    assert (0, True) == (code, "jobs" in output), output


@pytest.mark.skipif(sys.platform == "win32", reason="there, no signal comes to one process alone")
def test_an_interrupt_ends_a_command_as_shells_count_it(shell: Shell) -> None:
    with shell.start("stats", "memory://", "--watch=0.01", "--json") as command:
        for _ in range(2):
            command.until('"jobs": 0')
        command.signal(signal.SIGINT)
        code, output = command.end()
    assert 130 == code, output
    assert "Traceback" not in output
