from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import MemoryStorage, NewJobInfo, SqliteStorage, open_storage

if TYPE_CHECKING:
    from pathlib import Path


def test_memory() -> None:
    assert isinstance(open_storage("memory://"), MemoryStorage)


def test_an_absolute_and_a_relative_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def push(url: str) -> int:
        async with open_storage(url) as storage:
            await storage.push(NewJobInfo("job"))
            assert isinstance(storage, SqliteStorage)
            return (await storage.stats()).jobs

    monkeypatch.chdir(tmp_path)
    assert 1 == asyncio.run(push(f"sqlite:///{tmp_path}/a%20b.db"))
    assert 2 == asyncio.run(push("sqlite:///a b.db?synchronous=normal"))
    assert (tmp_path / "a b.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "jobs.db",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/jobs.db",
        "sqlite:///jobs.db?synchronous=off",
        "sqlite:///jobs.db?other=1",
        "memory://name",
        "redis://host",
        "postgresql://host/jobs",
    ],
)
def test_other_urls_are_refused_in_clear_words(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        open_storage(url)


def test_what_is_no_url_and_no_path_is_refused() -> None:
    wrong: Any
    for wrong in (None, b"memory://", 7):
        with pytest.raises(TypeError):
            open_storage(wrong)
    for wrong in ("", ":memory:", "a\0b"):
        with pytest.raises(ValueError, match="path"):
            SqliteStorage(wrong)
    with pytest.raises(ValueError, match="synchronous"):
        SqliteStorage("jobs.db", synchronous="off")  # type: ignore[arg-type]


def test_the_package_does_not_import_sqlite() -> None:
    program = "import sys, jobcore; sys.exit(bool({'sqlite3', 'jobcore.sqlite'} & sys.modules.keys()))"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode
