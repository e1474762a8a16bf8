"""Who shares a transaction with others has it as if it were alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from jobcore import StorageUnavailable
from jobcore.contrib._committing import GroupCommit
from jobcore.contrib._messages.sqlite import SqliteMessages
from jobcore.contrib._messages.tables import MessageTables
from jobcore.sqlite.database import Database
from tests.contrib.shared.company import in_company

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Messages = SqliteMessages[bytes, MessageTables]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"{tmp_path}/jobs.db"


@pytest.fixture
def group(path: str) -> Iterator[GroupCommit]:
    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS number (number INTEGER PRIMARY KEY)")

    made = GroupCommit(Database(path, "full", migrate=True, one_thread=False), prepare)
    yield made
    made.close()


@pytest.fixture
def messages(path: str) -> Iterator[Messages]:
    """Their keeper comes in an hour; a message is a JSON array of bytes."""
    made: Messages = SqliteMessages(
        path, MessageTables, lambda it: b'["%s"]' % it, lambda it: it, heartbeat_interval=3600
    )
    made.open()
    yield made
    made.close()


def insert(numbers: tuple[int, ...], connection: sqlite3.Connection) -> None:
    for number in numbers:
        connection.execute("INSERT INTO number VALUES (?)", (number,))


def numbers_in(path: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM number")]


def leave_no_room(group: GroupCommit) -> None:
    connection = group._database.connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def test_of_what_fails_halfway_nothing_is_done_and_of_its_company_all(group: GroupCommit, path: str) -> None:
    acts: list[Callable[[], None]] = [
        partial(group.write, partial(insert, numbers)) for numbers in [(1, 2), (3, 1), (4, 5)]
    ]
    raised = in_company(group, acts)
    assert [type(None), StorageUnavailable, type(None)] == [type(error) for error in raised]
    assert [1, 2, 4, 5] == numbers_in(path)


def test_of_what_fails_halfway_alone_nothing_is_done(group: GroupCommit, path: str) -> None:
    with pytest.raises(StorageUnavailable, match="UNIQUE"):
        group.write(partial(insert, (1, 1)))
    group.write(partial(insert, (2,)))
    assert [2] == numbers_in(path)


def test_a_message_for_several_queues_without_room_is_in_none_of_them(messages: Messages) -> None:
    leave_no_room(messages._group)
    queues = [f"queue-{number}" for number in range(100)]
    raised = in_company(
        messages._group,
        [lambda: messages.put(queues, bytes(1000), 0), lambda: messages.put(["other"], b"small", 0)],
    )
    assert [StorageUnavailable, type(None)] == [type(error) for error in raised]
    assert [0] * 100 == [messages.size(queue) for queue in queues]
    assert 1 == messages.size("other")


def test_threads_that_put_messages_share_a_commit(messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[None] = []
    commit = messages._group._database.commit
    monkeypatch.setattr(messages._group._database, "commit", lambda: commits.append(commit()))
    raised = in_company(messages._group, [partial(messages.put, ["work"], b"it", 0)] * 10)
    assert ([None] * 10, 1, 10) == (raised, len(commits), messages.size("work"))


def test_an_acknowledgement_outlasts_the_failure_of_the_transaction_that_carried_it(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def there() -> bool:
        return messages._read(lambda tables: tables.has_any("work"))

    messages.put(["work"], b"it", 0)
    (held,) = messages.get("work", 1)
    monkeypatch.setattr(messages, "_kept", lambda: SimpleNamespace(wake=lambda: None))
    messages.ack(held.tag)
    with pytest.raises(ZeroDivisionError):
        messages._write(lambda _: 1 / 0)
    assert there()
    messages.flush()
    assert not there()
