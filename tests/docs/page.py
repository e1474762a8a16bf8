"""Runs the blocks of a page, in their order and as a reader would.

`python -m tests.docs.page PAGE [BEFORE]` does so in the current folder, which should be empty, and after the program
BEFORE.

- A Python block whose first line is `# name.py` is a file of that name; it is written down and run, by pytest if it is
  a `test_*.py`. Later blocks may import it.
- Any other Python block goes on where the one before it ended, as in `python -m asyncio`: one namespace, one event
  loop, and `await` wherever it is wanted.
- A text block right below a Python block is what that prints; `...` stands for anything.
- In a console block, lines that begin with `$` are commands, and the others what they print. Those that call Python,
  pytest or jobcore are run, in the folder of the page; others change the machine and are not. A worker goes on until
  the page ends, is told to stop then, and must end well.
- A block that names a PostgreSQL database is run where `POSTGRES_URL` is set, on that one. Where it is not, the block
  is left out, with all that follows below the same heading.
- Data must be what it says: JSON, TOML, INI.

Each Python block keeps the line numbers of its page, so a traceback shows where to look.
"""

from __future__ import annotations

import ast
import asyncio
import configparser
import contextlib
import doctest
import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POSTGRES_URL = os.environ.get("POSTGRES_URL")
A_DATABASE = re.compile(r"postgresql(\+\w+)?:(//[\w.:@/-]+)(\??)")
PATIENCE = 60.0
"""Seconds until a command must have ended, and a worker said what the page shows."""

COMMANDS = {
    "jobcore": [sys.executable, "-m", "jobcore"],
    "pytest": [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
    "python": [sys.executable],
}


@dataclass(frozen=True)
class Block:
    """Fenced text: its language, the line below its fence, and what the page says that it prints."""

    language: str
    text: str
    line: int
    heading: int
    printed: str | None = None

    @property
    def source(self) -> str:
        """The text at the place that it has in the page."""
        return "\n" * (self.line - 1) + self.text


def blocks_of(page: str) -> list[Block]:
    """All blocks of a page."""
    fences = re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    blocks: list[Block] = []
    end = 0
    for fence in fences:
        before = page[: fence.start(2)]
        is_output = fence[1] == "text" and blocks and not page[end : fence.start()].strip()
        if is_output:
            blocks[-1] = Block(**{**vars(blocks[-1]), "printed": fence[2]})
        else:
            outside = re.sub(r"^```.*?^```$", "", before, flags=re.MULTILINE | re.DOTALL)
            headings = len(re.findall(r"^#+ ", outside, re.MULTILINE))
            blocks.append(Block(fence[1], fence[2], before.count("\n") + 1, headings))
        end = fence.end()
    return blocks


def on_the_server(text: str) -> str:
    """The text, on the database that there is in place of the one that it names."""
    if POSTGRES_URL is None:
        return text
    there = POSTGRES_URL.removeprefix("postgresql:")
    return A_DATABASE.sub(lambda found: f"postgresql{found[1] or ''}:{there}{'&' if found[3] else ''}", text)


def check_printed(expected: str | None, printed: str, block: Block) -> None:
    """Fail unless this is what the page shows, if it shows anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if expected is not None and not doctest.OutputChecker().check_output(expected, printed, flags):
        sys.exit(f"line {block.line}: the page shows\n{expected}\nand not what comes:\n{printed}")


class Worker:
    """A command that goes on; what it says is read as it comes."""

    def __init__(self, command: list[str]) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )
        self._said = ""
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._news:
                self._said += line
                self._news.notify_all()

    def wait_for(self, lines: str, block: Block) -> None:
        """Until it has said these lines, one after the other."""
        pattern = re.compile(".*".join(map(re.escape, re.split(r"\s*\.\.\.\s*|\s+", lines.strip()))), re.DOTALL)
        with self._news:
            if not self._news.wait_for(lambda: pattern.search(self._said), PATIENCE):
                sys.exit(f"line {block.line}: the worker did not say so, but:\n{self._said}")

    def stop(self) -> None:
        """Ask it to stop, and see that it does."""
        self._process.terminate()
        if self._process.wait(PATIENCE) != 0:
            sys.exit(f"the worker ended with {self._process.returncode}:\n{self._said}")


class Page:
    """One reading of a page."""

    def __init__(self, name: str, runner: asyncio.Runner) -> None:
        self._name = name
        self._runner = runner
        self._namespace: dict[str, Any] = {"__name__": "page"}
        self._workers: list[Worker] = []

    def read(self, blocks: list[Block]) -> None:
        """Run all blocks."""
        left_out = None
        try:
            for block in blocks:
                if POSTGRES_URL is None and (block.heading == left_out or A_DATABASE.search(block.text)):
                    left_out = block.heading
                elif run := getattr(self, f"_run_{block.language}", None):
                    run(block)
        finally:
            for worker in self._workers:
                worker.stop()

    def _run_python(self, block: Block) -> None:
        source = on_the_server(block.source)
        name = re.match(r"# (\w+\.py)\n", block.text)
        if name is None:
            printed = self._run_snippet(source)
        else:
            Path(name[1]).write_text(source, "utf-8")
            program = "pytest" if name[1].startswith("test_") else "python"
            printed = self._run_command([*COMMANDS[program], name[1]], block)
        check_printed(block.printed, printed, block)

    def _run_snippet(self, source: str) -> str:
        code = compile(source, self._name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if code.co_flags & inspect.CO_COROUTINE:
                self._runner.run(eval(code, self._namespace))
            else:
                exec(code, self._namespace)
        return printed.getvalue()

    def _run_console(self, block: Block) -> None:
        for command in re.finditer(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
            program, *arguments = map(on_the_server, shlex.split(command[1], comments=True))
            expected = command[2] or None
            if program not in COMMANDS:
                continue
            if (program, arguments[:1]) == ("jobcore", ["worker"]):
                self._workers.append(Worker([*COMMANDS[program], *arguments]))
                self._workers[-1].wait_for(expected or "", block)
            else:
                check_printed(expected, self._run_command([*COMMANDS[program], *arguments], block), block)

    def _run_command(self, command: list[str], block: Block) -> str:
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        done = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False
        )
        if done.returncode != 0:
            said = done.stdout + done.stderr
            sys.exit(f"line {block.line}: {shlex.join(command)} ended with {done.returncode}:\n{said}")
        return done.stdout

    def _run_json(self, block: Block) -> None:
        json.loads(block.text)

    def _run_toml(self, block: Block) -> None:
        tomllib.loads(block.text)

    def _run_ini(self, block: Block) -> None:
        configparser.ConfigParser(strict=False, interpolation=None).read_string(block.text)


def main(path: Path, before: str = "") -> None:
    """Read the page at this path, after this program."""
    sys.path[0] = str(Path.cwd())
    with asyncio.Runner() as runner:
        Page(str(path), runner).read([Block("python", before, 1, 0), *blocks_of(path.read_text("utf-8"))])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
