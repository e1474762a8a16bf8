"""Each schedule is kept in the storage, held by one scheduler, and sent by that one only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("taskiq", reason="taskiq is in the group `contrib`, where this Python has its wheels")

from taskiq import ScheduledTask, TaskiqScheduler
from taskiq.api import run_receiver_task, run_scheduler_task
from taskiq.exceptions import ScheduledTaskCancelledError

from jobcore.contrib.taskiq import JobcoreBroker, JobcoreScheduleSource
from tests.contrib.taskiq.delivering import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobcore.storage import BatchStorage


def every_minute(schedule_id: str, **more: Any) -> ScheduledTask:
    return ScheduledTask(
        task_name="task", labels={}, args=[1], kwargs={"b": 2}, schedule_id=schedule_id, cron="* * * * *", **more
    )


def at(schedule_id: str, time: datetime) -> ScheduledTask:
    return ScheduledTask(task_name="task", labels={}, args=[], kwargs={}, schedule_id=schedule_id, time=time)


async def ids_of(source: JobcoreScheduleSource) -> list[str]:
    async with asyncio.timeout(PATIENCE):
        return sorted(one.schedule_id for one in await source.get_schedules())


async def close(sources: Sequence[JobcoreScheduleSource]) -> None:
    for source in sources:
        await source.shutdown()


def test_what_was_added_is_listed_as_it_was_each_time(storage: BatchStorage) -> None:
    async def main() -> None:
        source = JobcoreScheduleSource(storage)
        assert [] == await source.get_schedules()
        schedules = [
            every_minute("a", cron_offset="Europe/Berlin"),
            every_minute("b", task_id="7"),
            ScheduledTask(task_name="c", labels={"x": 1}, args=[], kwargs={}, interval=timedelta(seconds=5)),
        ]
        for schedule in schedules:
            await source.add_schedule(schedule)
        for _ in range(3):
            listed = await source.get_schedules()
            assert sorted(map(repr, schedules)) == sorted(map(repr, listed))
        await close([source])

    asyncio.run(main())


def test_one_that_is_added_again_takes_the_place_of_the_first(storage: BatchStorage) -> None:
    async def main() -> None:
        source, elsewhere = JobcoreScheduleSource(storage), JobcoreScheduleSource(storage)
        await source.add_schedule(every_minute("a"))
        assert ["a"] == await ids_of(source)
        await elsewhere.add_schedule(every_minute("a", task_id="new"))
        assert ["new"] == [schedule.task_id for schedule in await source.get_schedules()]
        await close([source, elsewhere])

    asyncio.run(main())


def test_one_that_was_deleted_elsewhere_is_not_sent_and_not_listed(storage: BatchStorage) -> None:
    async def main() -> None:
        source, elsewhere = JobcoreScheduleSource(storage), JobcoreScheduleSource(storage)
        schedule = every_minute("a")
        await source.add_schedule(schedule)
        await source.add_schedule(every_minute("b"))
        assert ["a", "b"] == await ids_of(source)
        await source.pre_send(schedule)
        await elsewhere.delete_schedule("a")
        with pytest.raises(ScheduledTaskCancelledError):
            await source.pre_send(schedule)
        assert ["b"] == await ids_of(source)
        await elsewhere.delete_schedule("unknown")
        await close([source, elsewhere])

    asyncio.run(main())


def test_each_has_one_holder_and_another_when_that_one_shuts_down(storage: BatchStorage) -> None:
    async def main() -> None:
        first, second = JobcoreScheduleSource(storage), JobcoreScheduleSource(storage)
        schedule = every_minute("a")
        await first.add_schedule(schedule)
        assert ["a"] == await ids_of(first)
        assert [] == await ids_of(second)
        with pytest.raises(ScheduledTaskCancelledError):
            await second.pre_send(schedule)
        await first.shutdown()
        assert ["a"] == await ids_of(second)
        await close([second])

    asyncio.run(main())


def test_many_sources_that_list_at_once_hold_each_once(storage: BatchStorage) -> None:
    async def main() -> None:
        sources = [JobcoreScheduleSource(storage) for _ in range(5)]
        for number in range(20):
            await sources[0].add_schedule(every_minute(f"{number:02}"))
        listed = await asyncio.gather(*map(ids_of, sources))
        assert [f"{number:02}" for number in range(20)] == sorted(one for ids in listed for one in ids)
        await close(sources)

    asyncio.run(main())


def test_a_scheduler_that_died_frees_what_it_held(storage: BatchStorage) -> None:
    async def main() -> None:
        dead = JobcoreScheduleSource(storage, heartbeat_interval=timedelta(milliseconds=20))
        await dead.add_schedule(every_minute("a"))
        assert ["a"] == await ids_of(dead)
        assert dead._keeper
        await dead._keeper.stop()
        other = JobcoreScheduleSource(storage)

        async def freed() -> bool:
            return await ids_of(other) == ["a"]

        await until(freed)
        await close([other])

    asyncio.run(main())


def test_a_held_schedule_outlasts_its_lease(storage: BatchStorage) -> None:
    async def main() -> None:
        beat = timedelta(milliseconds=100)
        source, other = (JobcoreScheduleSource(storage, heartbeat_interval=beat) for _ in range(2))
        await source.add_schedule(every_minute("a"))
        assert ["a"] == await ids_of(source)
        lead = timedelta(0)
        late = JobcoreScheduleSource(storage, lead=lead)
        await late.add_schedule(at("after four leases", datetime.now(UTC) + 4 * 5 * beat))
        found: list[str] = []

        async def some() -> bool:
            found.extend(await ids_of(other))
            return bool(found)

        await until(some)
        assert ["after four leases"] == found
        await close([source, other, late])

    asyncio.run(main())


@pytest.mark.parametrize("zone", [UTC, None])
def test_a_time_is_listed_from_its_lead_on_and_gone_when_it_was_sent(storage: BatchStorage, zone: Any) -> None:
    async def main() -> None:
        source = JobcoreScheduleSource(storage, lead=timedelta(minutes=2))
        now = datetime.now(UTC).replace(tzinfo=zone)
        soon = at("soon", now + timedelta(minutes=1))
        await source.add_schedule(soon)
        await source.add_schedule(at("far", now + timedelta(hours=1)))
        assert ["soon"] == await ids_of(source)
        await source.pre_send(soon)
        await source.post_send(soon)
        assert [] == await ids_of(source)
        await source.add_schedule(every_minute("cron"))
        assert ["cron"] == await ids_of(source)
        await source.post_send(every_minute("cron"))
        assert ["cron"] == await ids_of(source)
        await close([source])

    asyncio.run(main())


def test_a_scheduler_sends_what_is_due_once(storage: BatchStorage) -> None:
    async def main() -> None:
        broker = JobcoreBroker(storage)
        source = JobcoreScheduleSource(broker.storage)
        sent: list[int] = []
        done = asyncio.Event()

        @broker.task
        async def note(number: int) -> None:
            sent.append(number)
            if len(sent) == 3:
                done.set()

        for number in range(3):
            await note.schedule_by_time(source, datetime.now(UTC), number)
        scheduling = asyncio.create_task(run_scheduler_task(TaskiqScheduler(broker, [source])))
        receiving = asyncio.create_task(run_receiver_task(broker))
        async with asyncio.timeout(PATIENCE):
            await done.wait()
        for task in (scheduling, receiving):
            task.cancel()
        await asyncio.wait([scheduling, receiving])
        assert [0, 1, 2] == sorted(sent)
        await close([source])
        await broker.shutdown()

    asyncio.run(main())
