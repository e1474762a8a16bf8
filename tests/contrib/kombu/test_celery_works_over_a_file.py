"""A real application of Celery's, with real workers."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

pytest.importorskip("celery", reason="Celery is not installed")

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Celery's processes are forked"),
    # Celery's own, of an application that is thrown away with its connections
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path


@pytest.fixture
def tasks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("CELERY_FOLDER", str(folder))
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.delitem(sys.modules, "celery_app", raising=False)
    module = importlib.import_module("celery_app")
    yield module
    del sys.modules["celery_app"]
    module.app.close()
    module.app.pool.force_close_all()


@contextmanager
def worker(folder: Path, name: str = "one") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--concurrency=2", f"--hostname={name}@x"]
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--loglevel=INFO"],
            cwd=HERE,
            env=os.environ | {"CELERY_FOLDER": str(folder)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        sys.stdout.write((folder / f"{name}.log").read_text())


def test_tasks_run_in_the_processes_of_a_worker_which_ends_at_a_signal(folder: Path, tasks: ModuleType) -> None:
    results = [tasks.add.delay(i, i) for i in range(10)]
    with worker(folder) as process:
        assert [2 * i for i in range(10)] == [result.get(timeout=60) for result in results]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_child_of_the_worker_publishes_too(folder: Path, tasks: ModuleType) -> None:
    with worker(folder):
        further = tasks.add_further.delay(41).get(timeout=60)
        assert tasks.app.AsyncResult(further).get(timeout=60) == 42


def test_remote_control_reaches_every_worker(folder: Path, tasks: ModuleType) -> None:
    with worker(folder, "one"), worker(folder, "two"):
        deadline = time.monotonic() + 60
        while len(found := tasks.app.control.inspect(timeout=5, limit=2).ping() or {}) < 2:
            assert time.monotonic() < deadline
    assert found == {"one@x": {"ok": "pong"}, "two@x": {"ok": "pong"}}


def test_the_task_of_a_killed_worker_goes_to_another_one(folder: Path, tasks: ModuleType) -> None:
    result = tasks.hang_once.delay()
    with worker(folder, "first") as process:
        deadline = time.monotonic() + 60
        while not (folder / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with worker(folder, "second"):
        assert result.get(timeout=60) == "redelivered"
