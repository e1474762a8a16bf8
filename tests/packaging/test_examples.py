from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from jobcore.stats import StorageStats

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
KEPT = "0 lost: every file was hashed exactly once or is dead"

if not EXAMPLES.exists():
    pytest.skip("the examples are in the repository, not beside an installed wheel", allow_module_level=True)


def start(example: str, *arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, EXAMPLES / example, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


def run(example: str, *arguments: Any) -> str:
    with start(example, *arguments) as process:
        output, errors = process.communicate(timeout=100)
    assert (0, "") == (process.returncode, errors)
    return output


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for number in range(40):
        (tmp_path / f"{number}.txt").write_bytes(b"x" * 1000 * number)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "näme").touch()
    return tmp_path


def test_quickstart_retries_the_job() -> None:
    assert "welcome, Ada! Delivery 2, after: the mail server is down\n" == run("quickstart.py")


def test_readme_shows_the_quickstart() -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert block is not None
    assert (EXAMPLES / "quickstart.py").read_text("utf-8") == block[1]


def test_demo_accounts_for_every_file(directory: Path) -> None:
    pytest.importorskip("rich")
    dead = 0
    if sys.platform != "win32":
        (directory / "dangling").symlink_to("nowhere")
        os.mkfifo(directory / "pipe")
        (directory / os.fsdecode(b"no\xfftext")).touch()
        dead = 2
    files = sum(not path.is_dir() for path in directory.rglob("*"))

    output = run("hash_directory.py", directory)

    assert KEPT == output.splitlines()[-1]
    counts = {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+) ", output, re.MULTILINE)}
    assert (files, files - dead, dead) == (counts["found"], counts["hashed"], counts["dead"])
    assert (20, 4) == (counts["retried"], counts["killed"])
    assert counts["reclaimed"] >= 4


@pytest.mark.skipif(sys.platform == "win32", reason="there, Ctrl-C is no signal to one process")
def test_demo_ends_cleanly_by_an_interrupt(directory: Path) -> None:
    pytest.importorskip("rich")
    with start("hash_directory.py", directory) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Hashing ")
        assert " of 41: " in process.stdout.readline()  # a second later; the stalled jobs take longer
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=100)
    assert (130, "") == (process.returncode, errors)
    assert output.startswith("Interrupted: ")


def test_demo_notices_a_lost_file() -> None:
    pytest.importorskip("rich")
    demo = runpy.run_path(str(EXAMPLES / "hash_directory.py"))
    books = demo["Books"](found=["here", "gone", "dead"], hashed={"here": ("", 0)}, dead={"dead": "why"})
    counts: dict[str, Any] = dict.fromkeys((count.name for count in fields(StorageStats)), 0)
    stats = StorageStats(**counts | {"pushed": 3, "completed": 1, "dead": 1})
    assert 1 == demo["count_lost"](books, stats)
