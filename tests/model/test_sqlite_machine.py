"""`SqliteStorage` against the model, by the rules of the machine for `MemoryStorage`.

Its leases run on the wall clock, so the clock of the model's leases is that one; it is set back only while no job is
held, since a lease that has run out once does not come to life again.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from jobcore import SqliteStorage
from tests.model.test_storage_machine import StorageMachine

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from jobcore import JobInfo, NewJobInfo, ReturnJobInfo
    from jobcore.stats import StorageStats
    from jobcore.testing import FakeClock

T = TypeVar("T")


class Plain:
    """A storage on a loop of its own, in plain calls."""

    def __init__(self, clock: FakeClock) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.storage = SqliteStorage(Path(self.folder.name, "jobs.db"), synchronous="normal", clock=clock)

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def close(self) -> None:
        self.run(self.storage.aclose())
        self.runner.close()
        self.folder.cleanup()

    def push_nowait(self, new: NewJobInfo) -> UUID:
        return self.run(self.storage.push(new))

    def pop_nowait(self, queue: str, runner: UUID) -> JobInfo | None:
        async def pop() -> JobInfo | None:
            popping = asyncio.create_task(self.storage.pop(queue, runner))
            await asyncio.sleep(0)
            await self.storage.info(UUID(int=0))  # is answered when the pop has been served, or found nothing
            await asyncio.sleep(0)
            if popping.done():
                return popping.result()
            popping.cancel()
            await asyncio.wait([popping])
            assert popping.cancelled()
            return None

        return self.run(pop())

    def heartbeat_nowait(self, job_id: UUID, runner: UUID, delivery: int | None) -> None:
        self.run(self.storage.heartbeat(job_id, runner, delivery))

    def complete_nowait(self, returned: ReturnJobInfo) -> bool:
        return self.run(self.storage.complete(returned))

    def info_nowait(self, job_id: UUID) -> JobInfo | None:
        return self.run(self.storage.info(job_id))

    def stats(self) -> StorageStats:
        return self.run(self.storage.stats())

    def __len__(self) -> int:
        return self.stats().jobs


class SqliteMachine(StorageMachine):
    def __init__(self) -> None:
        super().__init__()
        self.plain = self.new_plain()
        self.storage: Any = self.plain

    def new_plain(self) -> Plain:
        return Plain(self.clock)

    def monotonic(self) -> int:
        wall: int = self.wall()
        return wall

    @precondition(lambda self: self.model.stats().running == 0)
    @rule(seconds=st.sampled_from([1.0, 100.0, -1.0, -50.0]))
    def set_the_wall_clock(self, seconds: float) -> None:
        self.clock.jump_wall(seconds)

    def teardown(self) -> None:
        self.plain.close()


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)
