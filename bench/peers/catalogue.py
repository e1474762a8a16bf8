"""Everybody who is measured, by the name that `PEER=` takes, in the order of the report."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.peers.adapter import Adapter


@dataclass(frozen=True)
class Class:
    """Those that are compared with each other."""

    name: str
    title: str
    what: str
    place: str
    """What each of its peers is opened on: nothing, a folder, a database or a Valkey."""
    peers: dict[str, str]
    measures: tuple[str, ...]


_RATES = ("enqueue", "enqueue-64", "enqueue-batch", "drain", "drain-1ms")

CLASSES = (
    Class(
        "memory",
        "In process",
        "The jobs live in the memory of one process, and end with it.",
        "nothing",
        {
            "jobcore-memory": "jobcore:InMemory",
            "jobcore-python": "jobcore:InPurePython",
            "huey-memory": "huey:HueyInMemory",
            "taskiq-memory": "brokers:TaskiqInMemory",
            "dramatiq-stub": "brokers:DramatiqStub",
            "celery-memory": "brokers:CeleryInMemory",
            "jobcore-memory-storage": "jobcore:Storage",
            "asyncio-queue": "queues:AsyncioQueue",
            "culsans": "queues:Culsans",
            "janus": "queues:Janus",
        },
        (*_RATES, "pickup-one", "size", "start"),
    ),
    Class(
        "embedded",
        "Embedded",
        "The jobs live in a SQLite file, which outlasts the loss of power: every commit is synced, for all of them.",
        "folder",
        {
            "jobcore-sqlite": "jobcore:InSqlite",
            "huey-sqlite": "huey:HueyInSqlite",
            "sqlite-batches": "raw_sqlite:Batched",
            "jobcore-sqlite-storage": "jobcore:SqliteStorageAlone",
            "litequeue": "sqlite_queues:Litequeue",
            "persist-queue": "sqlite_queues:PersistQueue",
            "sqlite-one": "raw_sqlite:OneByOne",
        },
        (*_RATES, "pickup-one", "pickup-two", "size", "start"),
    ),
    Class(
        "distributed",
        "Distributed",
        "The jobs live in a server: a PostgreSQL at its defaults, which syncs every commit, or a Valkey that keeps all "
        "in memory, and loses the jobs when it is killed.",
        "database",
        {
            "jobcore-postgres": "jobcore:InPostgres",
            "jobcore-postgres-storage": "jobcore:PostgresStorageAlone",
            "procrastinate": "procrastinate:Procrastinate",
            "pgqueuer": "pgqueuer:Pgqueuer",
            "oban": "oban:Oban",
            "chancy": "chancy:Chancy",
            "saq-postgres": "saq:SaqOnPostgres",
            "saq-redis": "saq:SaqOnRedis",
            "arq": "redis_queues:Arq",
            "streaq": "redis_queues:Streaq",
            "taskiq-redis": "redis_queues:Taskiq",
            "rq": "redis_queues:Rq",
            "postgres-driver": "raw_postgres:BareDriver",
            "postgres-pgbench": "raw_postgres:PgBench",
        },
        (*_RATES, "pickup-two", "size", "start"),
    ),
)

ON_VALKEY = {"saq-redis", "arq", "streaq", "taskiq-redis", "rq"}

GROWING: dict[str, tuple[int, tuple[int, ...]]] = {
    "jobcore-memory-storage": (10**6, (0, 1_000, 100_000)),
    "asyncio-queue": (10**6, (0,)),
    "culsans": (10**6, (0,)),
    "jobcore-sqlite-storage": (10**6, (0, 100_000)),
    "sqlite-batches": (10**6, (0,)),
    "litequeue": (10**4, (0,)),
    "persist-queue": (10**4, (0,)),
    "jobcore-postgres-storage": (10**6, (0, 100_000)),
    "pgqueuer": (10**5, (0,)),
}
"""How many jobs at the most, and beside how many running ones; less where filling it takes too long."""

PEERS = {name: (one, where) for one in CLASSES for name, where in one.peers.items()}


def adapter_class(name: str) -> type[Adapter]:
    """The adapter of this name; its peer need not be installed."""
    module, _, attribute = PEERS[name][1].partition(":")
    found: type[Adapter] = getattr(importlib.import_module(f"bench.peers.adapters.{module}"), attribute)
    return found


def class_of(name: str) -> Class:
    """Where it belongs."""
    return PEERS[name][0]


def place_of(name: str) -> str:
    """What it is opened on."""
    return "valkey" if name in ON_VALKEY else class_of(name).place


def measures_of(name: str) -> list[str]:
    """What is measured of it."""
    kind = adapter_class(name)
    without = {*kind.leaves_out, *(() if kind.enqueue_many or "enqueue-batch" in kind.instead else ["enqueue-batch"])}
    return [measure for measure in class_of(name).measures if measure not in without]


def growing(name: str, most: int) -> list[tuple[int, int]]:
    """Beside how many waiting and how many running jobs, `most` at the most, the cost of one more is measured."""
    largest, running = GROWING.get(name, (0, ()))
    sizes = [10**power for power in range(3, 7) if 10**power <= min(largest, most)]
    return [(waiting, held) for held in running if held <= most for waiting in sizes]
