"""What a file keeps, shares between threads and processes, and tells."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from jobcore import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobcore.contrib._committing import GroupCommit

pytest.importorskip("huey", reason="in the group `contrib`")

from jobcore.contrib.huey import JobcoreStorage
from tests.contrib.shared.company import PATIENCE, in_company, started


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def storage(path: Path) -> Iterator[JobcoreStorage]:
    made = JobcoreStorage(url=f"sqlite:///{path}", read_timeout=PATIENCE)
    yield made
    made.close()


def another_process(path: Path, *lines: str) -> subprocess.Popen[str]:
    """A program with a `storage` on the same file."""
    program = [
        "import os, sys, time, warnings; warnings.simplefilter('ignore')",
        "from jobcore.contrib.huey import JobcoreStorage",
        f"storage = JobcoreStorage(url='sqlite:///{path}', read_timeout={PATIENCE})",
        *lines,
    ]
    command = [sys.executable, "-c", "\n".join(program)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")


def group_of(storage: JobcoreStorage) -> GroupCommit:
    store: Any = storage._store
    group: GroupCommit = store._group
    return group


def test_all_is_there_after_a_close(storage: JobcoreStorage, path: Path) -> None:
    storage.enqueue(b"task")
    storage.put_data("key", b"value")
    storage.incr("count")

    assert (True, False) == (storage.close(), storage.close())
    other = JobcoreStorage(url=f"sqlite:///{path}")
    assert (b"task", b"value", 2) == (other.dequeue(), other.peek_data("key"), other.incr("count"))
    other.close()
    assert 3 == storage.incr("count")


def test_names_share_a_file_and_nothing_else(storage: JobcoreStorage, path: Path) -> None:
    other = JobcoreStorage("other", url=f"sqlite:///{path}", read_timeout=0)
    storage.enqueue(b"task")
    storage.put_data("key", b"value")
    storage.incr("count")

    assert (None, False, 1) == (other.dequeue(), other.has_data_for_key("key"), other.incr("count"))
    other.flush_all()
    other.close()
    assert (1, 1) == (storage.queue_size(), storage.result_store_size())


def test_calls_that_come_during_a_transaction_share_the_next(
    storage: JobcoreStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.enqueue(b"first")
    database = group_of(storage)._database
    commits: list[None] = []
    commit = database.commit
    monkeypatch.setattr(database, "commit", lambda: commits.append(commit()))

    tasks = [b"%d" % number for number in range(10)]
    raised = in_company(group_of(storage), [partial(storage.enqueue, task) for task in tasks])

    assert [None] * 10 == raised
    assert 1 == len(commits)
    assert [b"first", *tasks] == storage.enqueued_items()


def test_a_call_that_fails_fails_alone(storage: JobcoreStorage) -> None:
    nonsense: Any = object()
    raised = in_company(
        group_of(storage),
        [lambda: storage.enqueue(b"a"), lambda: storage.put_data("key", nonsense), lambda: storage.enqueue(b"b")],
    )

    assert [False, True, False] == [error is not None for error in raised]
    assert ([b"a", b"b"], {}) == (storage.enqueued_items(), storage.result_items())


def test_a_signal_that_ends_a_transaction_is_told_to_all_of_it(storage: JobcoreStorage) -> None:
    storage.enqueue(b"first")

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    raised = in_company(
        group_of(storage), [lambda: group_of(storage).write(interrupt), lambda: storage.enqueue(b"second")]
    )

    assert [KeyboardInterrupt, StorageUnavailable] == [type(error) for error in raised]
    assert [b"first"] == storage.enqueued_items()


def test_a_close_in_company_lets_the_others_finish(storage: JobcoreStorage) -> None:
    raised = in_company(
        group_of(storage), [lambda: storage.enqueue(b"a"), storage.close, lambda: storage.enqueue(b"b")]
    )

    assert [None] * 3 == raised
    assert [b"a", b"b"] == storage.enqueued_items()


def test_a_file_that_was_deleted_is_told_once_and_then_made_anew(storage: JobcoreStorage, path: Path) -> None:
    storage.enqueue(b"a")
    path.unlink()

    with pytest.raises(StorageUnavailable, match="deleted"):
        storage.enqueue(b"b")
    storage.enqueue(b"c")
    assert [b"c"] == storage.enqueued_items()


def test_a_call_waits_for_the_lock_of_another_connection(storage: JobcoreStorage, path: Path) -> None:
    storage.enqueue(b"a")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    enqueues = started(lambda: storage.enqueue(b"b"))
    assert not other.execute("SELECT 1 FROM huey_task WHERE data = 'b'").fetchall()
    enqueues.join(0.05)
    assert enqueues.is_alive()

    other.execute("COMMIT")
    enqueues.join(PATIENCE)
    other.close()
    assert [b"a", b"b"] == storage.enqueued_items()


def test_no_room_is_told_and_the_next_call_has_its_own_fate(storage: JobcoreStorage) -> None:
    storage.enqueue(b"a")
    connection = group_of(storage)._database.connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StorageUnavailable, match="full"):
        storage.enqueue(bytes(100_000))
    raised = in_company(group_of(storage), [lambda: storage.enqueue(bytes(100_000)), lambda: storage.enqueue(b"b")])

    assert [StorageUnavailable, type(None)] == [type(error) for error in raised]
    assert [b"a", b"b"] == storage.enqueued_items()


def test_a_task_of_another_process_ends_the_wait_here(storage: JobcoreStorage, path: Path) -> None:
    taken: list[bytes | None] = []
    waits = started(lambda: taken.append(storage.dequeue()))
    with another_process(path, "storage.enqueue(b'task')") as other:
        assert 0 == other.wait(PATIENCE)
    waits.join(PATIENCE)
    assert [b"task"] == taken


def test_a_result_of_another_process_ends_the_wait_here(storage: JobcoreStorage, path: Path) -> None:
    storage.enqueue(b"task")
    with another_process(path, "storage.dequeue()", "storage.put_data('key', b'1', True)") as other:
        assert storage.wait_result("key", PATIENCE)
        assert 0 == other.wait(PATIENCE)


def test_what_a_killed_process_was_told_is_there(storage: JobcoreStorage, path: Path) -> None:
    lines = ["while True:", "    storage.enqueue(b'task')", "    print('told', flush=True)"]
    with another_process(path, *lines) as other:
        assert other.stdout is not None
        told = sum(1 for _, _ in zip(range(50), other.stdout, strict=False))
        other.kill()
        told += sum(line == "told\n" for line in other.stdout)
    assert told <= storage.queue_size() <= told + 1


def test_a_forked_child_opens_the_file_for_itself(path: Path) -> None:
    lines = [
        "storage.enqueue(b'parent')",
        "child = os.fork()",
        "storage.enqueue(b'of the child' if child == 0 else b'after the fork')",
        "if child == 0:",
        "    os._exit(0)",
        "assert os.waitpid(child, 0)[1] == 0",
        "assert sorted(storage.enqueued_items()) == [b'after the fork', b'of the child', b'parent']",
    ]
    with another_process(path, *lines) as process:
        assert 0 == process.wait(PATIENCE)
