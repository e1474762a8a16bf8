"""`PostgresStorage`: jobs in a PostgreSQL database, for the processes of many machines."""

from jobcore.postgres.storage import PostgresStorage

__all__ = ["PostgresStorage"]
