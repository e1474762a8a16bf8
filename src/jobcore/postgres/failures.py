"""What PostgreSQL and the way to it can fail with, and what a caller is told."""

from __future__ import annotations

import asyncpg

from jobcore.errors import JobcoreError, StorageUnavailable

ADVICE: dict[type[BaseException], str] = {
    asyncpg.TooManyConnectionsError: "raise max_connections, or open the storages with fewer connections",
    asyncpg.CannotConnectNowError: "it starts up or shuts down",
    asyncpg.InvalidCatalogNameError: "create the database first",
    asyncpg.InvalidAuthorizationSpecificationError: "look at the user and password of the URL, and at pg_hba.conf",
    asyncpg.InsufficientPrivilegeError: "see what the role of a worker needs, in the documentation of PostgresStorage",
    asyncpg.UndefinedTableError: "the schema was dropped; run: jobcore migrate URL",
    asyncpg.ReadOnlySQLTransactionError: "this server takes no writes: it is a standby",
    asyncpg.TargetServerAttributeNotMatched: "no server of the URL takes writes: they are standbys, or read-only",
    asyncpg.ProtocolViolationError: "behind a pooler such as PgBouncer, say listen=False (?listen=no)",
    asyncpg.DiskFullError: "make room on the server; nothing that was acknowledged is lost",
}


def is_conflict(error: BaseException) -> bool:
    """The server rolled this back for the sake of another transaction: it can be done again."""
    return isinstance(error, asyncpg.DeadlockDetectedError | asyncpg.SerializationError)


def is_lost(error: BaseException) -> bool:
    """The connection is gone, or of no use any more; what was under way may have happened or not."""
    return isinstance(
        error,
        OSError  # TimeoutError, too
        | EOFError
        | asyncpg.PostgresConnectionError
        | asyncpg.OperatorInterventionError
        | asyncpg.InterfaceError
        | asyncpg.InternalClientError
        | asyncpg.TooManyConnectionsError
        | asyncpg.ReadOnlySQLTransactionError,
    ) and not isinstance(error, asyncpg.QueryCanceledError | asyncpg.DataError)


def spoils(error: BaseException) -> bool:
    """The connection it came on is of no use any more: lost, or left in the middle of something."""
    return not isinstance(error, asyncpg.PostgresError) or is_lost(error)


def concerns_one(error: BaseException) -> bool:
    """Whether another request could fare better than this one did: a value that the server does not take."""
    return isinstance(error, asyncpg.PostgresError | asyncpg.DataError) and not is_lost(error)


def told(error: BaseException) -> BaseException:
    """What a caller gets for this: an exception of its own, with the cause chained."""
    if isinstance(error, StorageUnavailable):
        unavailable = StorageUnavailable(error.reason)
        unavailable.__cause__ = error.__cause__
        return unavailable
    if isinstance(error, JobcoreError | MemoryError):
        return error
    if isinstance(error, TimeoutError):
        reason = "the server does not answer"
    elif is_lost(error) or isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        reason = " ".join(str(error).split()) or type(error).__name__
    else:
        return RuntimeError(f"bug: {error!r}")
    advice = next((words for kind, words in ADVICE.items() if isinstance(error, kind)), None)
    unavailable = StorageUnavailable(reason if advice is None else f"{reason} ({advice})")
    unavailable.__cause__ = error
    return unavailable
