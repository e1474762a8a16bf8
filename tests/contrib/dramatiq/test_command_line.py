"""A real application, with dramatiq's own command and the processes that it starts."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contrib.shared.commands import PATIENCE, await_text, kill, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import ModuleType

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the processes are ended by signals")

HERE = Path(__file__).parent


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("DRAMATIQ_FOLDER", str(tmp_path))
    monkeypatch.syspath_prepend(HERE)
    module = importlib.import_module("dramatiq_app")
    yield module
    del sys.modules["dramatiq_app"]
    module.broker.close()


def worker(folder: Path, name: str = "one") -> AbstractContextManager[subprocess.Popen[bytes]]:
    command = "dramatiq dramatiq_app --processes=2 --threads=2"
    return running(command, HERE, folder / f"{name}.log", DRAMATIQ_FOLDER=str(folder))


def test_messages_are_carried_out_in_the_processes_of_a_worker_which_ends_at_a_signal(
    tmp_path: Path, app: ModuleType
) -> None:
    for number in range(20):
        app.note.send(number)
    with worker(tmp_path) as process:
        app.broker.join("default", timeout=1000 * PATIENCE)
        assert str(os.getpid()) not in {await_text(tmp_path / f"noted-{number}") for number in range(20)}
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_process_of_the_worker_enqueues_too(tmp_path: Path, app: ModuleType) -> None:
    with worker(tmp_path):
        app.note_further.send(41)
        await_text(tmp_path / "noted-41")


def test_the_message_of_a_killed_worker_goes_to_another_one(tmp_path: Path, app: ModuleType) -> None:
    app.hang_once.send()
    with worker(tmp_path, "first") as process:
        first = await_text(tmp_path / "begun")
        kill(process)
    with worker(tmp_path, "second"):
        assert await_text(tmp_path / "again") != first
        app.broker.join("default", timeout=1000 * PATIENCE)
