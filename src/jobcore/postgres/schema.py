"""The schema: scripts that lead from each version to the next, run by whoever opens it first.

`migrations/` holds one script for each version, which never changes once it is released. All that are missing run in
one transaction, under an advisory lock: of many processes that start at once, one does it, and the others find it done.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg

from jobcore.errors import StorageUnavailable
from jobcore.postgres.statements import BACKOFF

if TYPE_CHECKING:
    from jobcore.postgres.sources import AnyConnection

_SCRIPTS = sorted(
    (file for file in files("jobcore.postgres").joinpath("migrations").iterdir() if file.name.endswith(".sql")),
    key=lambda file: file.name,
)
VERSION = len(_SCRIPTS)


def migrations(schema: str, since: int = 0) -> str:
    """The SQL that makes the schema, or that brings it from version `since` to this one; without a transaction."""
    parts: list[str] = []
    if since == 0:
        parts.append(
            f"CREATE TABLE {schema}.migration (\n"
            "    version integer PRIMARY KEY,\n    applied timestamptz NOT NULL DEFAULT now()\n);\n"
        )
    for version, script in enumerate(_SCRIPTS[since:], since + 1):
        text = script.read_text("utf-8").replace("{schema}", schema).replace("{backoff}", BACKOFF)
        parts += [text, f"INSERT INTO {schema}.migration (version) VALUES ({version});\n"]
    return "\n".join(parts)


async def prepare(connection: AnyConnection, schema: str, *, migrate: bool) -> None:
    """See that the schema is there in this version; make or upgrade it with `migrate`, else refuse."""
    if await connection.fetchval("SHOW server_encoding") != "UTF8":
        raise StorageUnavailable("the encoding of the database is not UTF8, so it could not keep every job")
    found = await _version(connection, schema)
    if found == VERSION:
        return
    if not migrate:
        raise StorageUnavailable(f"schema {schema} lacks the tables of this jobcore; run: jobcore migrate URL")
    try:
        async with connection.transaction(isolation="read_committed"):  # so that it sees what the lock waited for
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"jobcore {schema}")
            found = await _version(connection, schema)
            if found == VERSION:
                return
            if await connection.fetchval("SELECT NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema):
                await connection.execute(f"CREATE SCHEMA {schema}")
            await connection.execute(migrations(schema, found))
    except asyncpg.InsufficientPrivilegeError as error:
        raise StorageUnavailable(
            f"the tables of this jobcore are not in schema {schema}, and this role may not make them ({error}); "
            "run as one that may: jobcore migrate URL"
        ) from error
    except asyncpg.DuplicateTableError as error:
        raise StorageUnavailable(f"schema {schema} holds something else ({error}); choose another one") from error


async def _version(connection: AnyConnection, schema: str) -> int:
    # Not by `to_regclass`: a session remembers what was not there, also while it waits for a lock.
    made = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'migration')"
    if not await connection.fetchval(made, schema):
        return 0
    version: int = await connection.fetchval(f"SELECT coalesce(max(version), 0) FROM {schema}.migration")
    if version > VERSION:
        raise StorageUnavailable(
            f"schema {schema} has version {version}, and this jobcore knows {VERSION} at most: use a newer one"
        )
    return version
