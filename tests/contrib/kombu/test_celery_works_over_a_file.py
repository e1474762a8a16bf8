"""A real application of Celery's, with real workers."""

from __future__ import annotations

import importlib
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contrib.shared.commands import PATIENCE, await_text, kill, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
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


def worker(folder: Path, name: str = "one") -> AbstractContextManager[subprocess.Popen[bytes]]:
    command = f"celery -A celery_app worker --concurrency=2 --hostname={name}@x --loglevel=INFO"
    return running(command, HERE, folder / f"{name}.log", CELERY_FOLDER=str(folder))


def test_tasks_run_in_the_processes_of_a_worker_which_ends_at_a_signal(folder: Path, tasks: ModuleType) -> None:
    results = [tasks.add.delay(i, i) for i in range(10)]
    with worker(folder) as process:
        assert [2 * i for i in range(10)] == [result.get(timeout=PATIENCE) for result in results]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_child_of_the_worker_publishes_too(folder: Path, tasks: ModuleType) -> None:
    with worker(folder):
        further = tasks.add_further.delay(41).get(timeout=PATIENCE)
        assert tasks.app.AsyncResult(further).get(timeout=PATIENCE) == 42


def test_remote_control_reaches_every_worker(folder: Path, tasks: ModuleType) -> None:
    with worker(folder, "one"), worker(folder, "two"):
        deadline = time.monotonic() + PATIENCE
        while len(found := tasks.app.control.inspect(timeout=5, limit=2).ping() or {}) < 2:
            assert time.monotonic() < deadline
    assert found == {"one@x": {"ok": "pong"}, "two@x": {"ok": "pong"}}


def test_the_task_of_a_killed_worker_goes_to_another_one(folder: Path, tasks: ModuleType) -> None:
    result = tasks.hang_once.delay()
    with worker(folder, "first") as process:
        await_text(folder / "started")
        kill(process)
    with worker(folder, "second"):
        assert result.get(timeout=PATIENCE) == "redelivered"
