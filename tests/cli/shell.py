"""Runs the command line as a shell does: in a process of its own, in a directory with a module of the user's."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

GUARD = 60


class Shell:
    """A directory, and `jobcore` run in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(textwrap.dedent(text), "utf-8")

    def start(self, *arguments: str, errors: int = subprocess.STDOUT) -> Running:
        return Running(
            subprocess.Popen(
                [sys.executable, "-m", "jobcore", *arguments],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
            )
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and all that it wrote."""
        with self.start(*arguments) as running:
            return running.end()


class Running:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.output: IO[str] = process.stdout

    def until(self, text: str) -> str:
        """The lines up to the one that holds this text."""
        lines: list[str] = []
        for line in self.output:
            lines.append(line)
            if text in line:
                return "".join(lines)
        raise AssertionError(f"it ended before it wrote {text!r}:\n{''.join(lines)}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        rest, _ = self.process.communicate(timeout=GUARD)
        return self.process.returncode, rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
