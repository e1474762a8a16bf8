"""`open_storage`: a storage by its URL. The one file that knows all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from jobcore.errors import InvalidURL
from jobcore.memory import MemoryStorage

if TYPE_CHECKING:
    from typing import Literal

    from jobcore.postgres import PostgresStorage
    from jobcore.sqlite import SqliteStorage

__all__ = ["InvalidURL", "open_storage"]

FORMS = "memory://, sqlite:///relative.db, sqlite:////absolute/path.db or postgresql://user@host/database"


def open_storage(url: str, *, migrate: bool = True) -> MemoryStorage | SqliteStorage | PostgresStorage:
    """The storage at this URL: `memory://`, `sqlite:///relative.db`, `sqlite:////absolute/path.db`, or `postgresql://`.

    `sqlite:///jobs.db?synchronous=normal` trades the latest commits at a loss of power for speed. In the URL of a
    PostgreSQL database, `schema`, `listen` (`yes` or `no`) and `connections` are the options of `PostgresStorage`; the
    others are for the server. The schema is made or brought up to date at the first call, unless `migrate` is False.

    Raises `InvalidURL`, a `ValueError`, and `NotInstalled`, an `ImportError`, for PostgreSQL without its driver.
    """
    if not isinstance(url, str):
        raise TypeError(f"a URL must be a string, not {type(url).__name__}")
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise InvalidURL(url, f"is no URL of a storage: {FORMS}")
    if scheme == "memory":
        if url != "memory://":
            raise InvalidURL(url, "must be memory:// and no more: there is one kind of memory")
        return MemoryStorage()
    if scheme == "sqlite":
        return _sqlite(url, migrate=migrate)
    if scheme in {"postgresql", "postgres"}:
        return _postgres(url, migrate=migrate)
    raise InvalidURL(url, f"has an unknown scheme: {FORMS}")


def _sqlite(url: str, *, migrate: bool) -> SqliteStorage:
    from jobcore.sqlite import SqliteStorage  # noqa: PLC0415  (who keeps jobs in memory needs no sqlite3)

    path, synchronous = sqlite_place(url)
    return SqliteStorage(path, synchronous=synchronous, migrate=migrate)


def sqlite_place(url: str) -> tuple[str, Literal["full", "normal"]]:
    """The path and `synchronous` of a URL that begins with `sqlite:`; for adapters."""
    parts = urlsplit(url)
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc or not path or parts.fragment:
        raise InvalidURL(url, "needs three slashes before a relative path and four before an absolute one")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full")
    if options or synchronous not in {"full", "normal"}:
        raise InvalidURL(url, "may have one option: ?synchronous=full or ?synchronous=normal")
    return path, cast("Literal['full', 'normal']", synchronous)


def _postgres(url: str, *, migrate: bool) -> PostgresStorage:
    from jobcore.postgres import PostgresStorage  # noqa: PLC0415  (only who uses it needs a driver)

    parts = urlsplit(url)
    ours: dict[str, str] = {}
    theirs: list[tuple[str, str]] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in {"schema", "listen", "connections"}:
            ours[name] = value
        else:
            theirs.append((name, value))
    listen = {"yes": True, "no": False}.get(ours.get("listen", "yes"))
    connections = ours.get("connections", "4")
    if listen is None or not connections.isdecimal():
        raise InvalidURL(url, "may say listen=yes or listen=no, and connections=a number")
    try:
        return PostgresStorage(
            urlunsplit(parts._replace(query=urlencode(theirs))),
            schema=ours.get("schema", "jobcore"),
            migrate=migrate,
            listen=listen,
            connections=int(connections),
        )
    except ValueError as error:
        raise InvalidURL(url, f"has a wrong option: {error}") from error
