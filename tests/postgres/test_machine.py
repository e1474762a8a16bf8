"""`PostgresStorage` against the model, by the rules of the machine for `SqliteStorage`, whose leases are alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import settings

from tests.model.test_sqlite_machine import Plain, SqliteMachine
from tests.postgres.quiet import new_storage, quiet

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore import JobInfo
    from jobcore.testing import FakeClock


class PlainOnPostgres(Plain):
    def __init__(self, clock: FakeClock, dsn: str) -> None:
        self.runner = asyncio.Runner()
        self.opened = new_storage(dsn, clock)
        self.storage: Any = self.runner.run(self.opened.__aenter__())

    def close(self) -> None:
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.runner.close()

    def pop_nowait(self, queue: str, runner: UUID) -> JobInfo | None:
        async def pop() -> JobInfo | None:
            popping = asyncio.create_task(self.storage.pop(queue, runner))
            await asyncio.sleep(0)
            await quiet(self.storage)
            if not popping.done():
                popping.cancel()
                await asyncio.wait([popping])
            return None if popping.cancelled() else popping.result()

        return self.run(pop())


def test_postgres_does_what_the_model_does(dsn: str) -> None:
    class PostgresMachine(SqliteMachine):
        def new_plain(self) -> Plain:
            return PlainOnPostgres(self.clock, dsn)

    machine = PostgresMachine.TestCase
    machine.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
    machine().runTest()
