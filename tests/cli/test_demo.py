from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from jobcore import BatchStorage, JobResult, MemoryStorage, NewJobInfo, ReturnJobInfo, StorageClosed
from jobcore.cli.demo import show
from jobcore.cli.demo._severed import SeverableStorage
from jobcore.cli.demo.app import Entry, Index, path_of, quoted
from jobcore.cli.demo.run import Books
from jobcore.stats import StorageStats

KEPT = "0 lost: every file was indexed exactly once or is dead"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs pipes, signals, and paths that are bytes")


def start(directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jobcore", "demo", str(directory)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


def run(directory: Path) -> list[str]:
    with start(directory) as process:
        output, errors = process.communicate(timeout=100)
    assert (0, "") == (process.returncode, errors), output
    return output.splitlines()


def counts(lines: list[str]) -> dict[str, int]:
    found = re.findall(r"^(\w+) +([\d,]+)(?:  |$)", "\n".join(lines), re.MULTILINE)
    return {name: int(number.replace(",", "")) for name, number in found}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for number in range(40):
        (tmp_path / f"{number}.txt").write_bytes(b"xxx\n" * 1000 * number)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "näme").write_bytes(b"no newline")
    return tmp_path


def test_every_file_is_indexed_though_attempts_fail_and_a_runner_dies(directory: Path) -> None:
    lines = run(directory)
    counted = counts(lines)
    assert KEPT == lines[-1]
    assert (41, 41, 0) == (counted["found"], counted["indexed"], counted["dead"])
    assert (20, 1) == (counted["retried"], counted["killed"])
    assert counted["reclaimed"] >= 1
    size = 4000 * sum(range(40)) + len(b"no newline")
    assert (size, 1000 * sum(range(40)) + 1) == (counted["bytes"], counted["lines"])


@POSIX
def test_what_is_no_readable_file_is_dead_with_its_reason(directory: Path) -> None:
    (directory / "dangling").symlink_to("nowhere")
    os.mkfifo(directory / "pipe")
    (directory / os.fsdecode(b"no\xfftext")).touch()
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(directory)  # the path of a socket must be short
        listening.bind("socket")
        os.chdir(here)
        lines = run(directory)
    counted = counts(lines)
    assert KEPT == lines[-1]
    assert (45, 42, 3) == (counted["found"], counted["indexed"], counted["dead"])
    (dead,) = (line for line in lines if line.startswith("dead"))
    assert {"1 No such file or directory", "1 a pipe", "1 a socket"} == set(dead.split("  ")[-1].split("; "))


@pytest.mark.parametrize("files", [0, 1])
def test_next_to_nothing_is_accounted_for_too(tmp_path: Path, files: int) -> None:
    for number in range(files):
        (tmp_path / f"{number}").touch()
    lines = run(tmp_path)
    assert KEPT == lines[-1]
    assert files == counts(lines)["indexed"]


@POSIX
def test_a_terminal_gets_a_moving_display(directory: Path) -> None:
    pytest.importorskip("rich")
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "jobcore", "demo", str(directory)]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"}) as process:
        os.close(theirs)
        output = b"".join(iter(lambda: read(ours), b"")).decode()
    os.close(ours)
    assert 0 == process.returncode
    assert "━" in output
    assert KEPT in output


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other end is closed
        return b""


def test_a_terminal_without_rich_gets_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = iter([0.0, 0.5, 1.5])
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(show, "now", lambda: next(moments))
    with show.progress(3) as update:
        update(counted_as(completed=1))
        update(counted_as(completed=1, dead=1))
    assert "2 of 3: 0 retried, 0 reclaimed, 1 dead\n" == capsys.readouterr().out


def test_what_could_not_be_listed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    books = Books(unread=[PermissionError("not yours")])
    show.summary(books, counted_as(), seconds=1.0, lost=0)
    assert 1 == counts(capsys.readouterr().out.splitlines())["unread"]


@POSIX
def test_an_interrupt_ends_it_cleanly(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 36)  # nothing but a hole; reading it takes a minute, unless somebody gives up
    with start(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Indexing ")
        assert process.stdout.readline().startswith("0 of 1: ")  # a second later
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=100)
    assert (130, "") == (process.returncode, errors)
    assert "Interrupted: 0 of 1 files were done\n" == output


def test_what_is_no_directory_is_a_mistake(tmp_path: Path) -> None:
    with start(tmp_path / "nowhere") as process:
        output, errors = process.communicate(timeout=100)
    assert (2, "", 1) == (process.returncode, output, errors.count("\n"))


@pytest.mark.parametrize(
    ("last_words", "counted"),
    [
        ({"here": 1, "dead": 1}, {"completed": 1, "dead": 1}),
        ({"here": 2, "gone": 1, "dead": 1}, {"completed": 2, "dead": 1}),
        ({"here": 1, "gone": 1, "dead": 1}, {"completed": 2, "dead": 1}),
        ({"here": 1, "gone": 1, "dead": 1}, {"completed": 3, "dead": 0}),
    ],
)
def test_a_lost_file_is_noticed(last_words: dict[str, int], counted: dict[str, int]) -> None:
    index = Index(entries={"here": Entry("", 0, 0)}, dead={"dead": "why"})
    index.last_words.update(last_words)
    assert Books(files=["here", "gone", "dead"], index=index).lost(counted_as(**counted))


def counted_as(**counted: Any) -> StorageStats:
    zeros: dict[str, Any] = dict.fromkeys((count.name for count in fields(StorageStats)), 0)
    return StorageStats(**zeros | counted)


@POSIX
def test_any_path_survives_its_quoting() -> None:
    path = Path(os.fsdecode(b"/a b/\xff%41/n\xc3\xa4me"))
    assert path == path_of(quoted(path))


def test_a_cut_storage_answers_nothing() -> None:
    async def check() -> None:
        async with MemoryStorage() as storage:
            severable = SeverableStorage(storage)
            assert isinstance(severable, BatchStorage)
            me = uuid4()
            waiting = asyncio.ensure_future(severable.pop("default", me))
            await asyncio.sleep(0)
            severable.cut()
            await storage.push(NewJobInfo("here"))
            with pytest.raises(StorageClosed):
                await waiting
            for call in (
                severable.info(me),
                severable.push(NewJobInfo("x")),
                severable.push_many([]),
                severable.pop("default", me),
                severable.pop_many("default", me, 1),
                severable.heartbeat(me, me),
                severable.heartbeat_many([], me),
                severable.complete(ReturnJobInfo(me, JobResult.SUCCESS)),
                severable.complete_many([]),
            ):
                with pytest.raises(StorageClosed):
                    await call
            assert 1 == storage.stats().pushed

    asyncio.run(check())
