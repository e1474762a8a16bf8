"""`PostgresStorage`: jobs in a PostgreSQL database, for the processes of many machines."""

from jobcore.errors import NotInstalled

try:
    import asyncpg  # noqa: F401
except ModuleNotFoundError as error:
    raise NotInstalled("asyncpg", "postgres") from error

from jobcore.postgres.storage import PostgresStorage

__all__ = ["PostgresStorage"]
