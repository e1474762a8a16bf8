from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import MemoryStorage, NewJobInfo, PostgresStorage, SqliteStorage, open_storage
from jobcore.errors import NotInstalled

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
        "postgresql://host/jobs?schema=No, not this",
        "postgresql://host/jobs?listen=maybe",
        "postgresql://host/jobs?connections=0",
        "postgresql://host/jobs?connections=many",
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


def test_a_postgresql_database_with_options_of_ours_and_of_the_server() -> None:
    pytest.importorskip("asyncpg")  # which has no wheels for some Pythons
    url = "postgresql://ada@host:5433/jobs?schema=work&listen=no&connections=2&sslmode=require"
    assert isinstance(open_storage(url, migrate=False), PostgresStorage)


@pytest.mark.parametrize("program", ["import jobcore", "from jobcore import *"])
def test_nothing_needs_the_driver_of_a_database_that_is_not_used(program: str) -> None:
    program = f"import sys; sys.modules['asyncpg'] = None; {program}"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("jobcore.postgres.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(NotInstalled, match=r"pip install 'jobcore\[postgres\]'"):
        open_storage("postgresql://host/jobs")


def test_the_package_does_not_import_a_database() -> None:
    program = "import sys, jobcore; sys.exit(bool({'sqlite3', 'asyncpg'} & sys.modules.keys()))"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode
