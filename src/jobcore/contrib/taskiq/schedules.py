"""`JobcoreScheduleSource`: schedules of taskiq as jobs in a queue of their own, held by the scheduler that sends them.

A storage tells nobody which jobs it has, and need not: the source *pops* the schedules and holds them, its leases
renewed, as a worker holds what it works on. So of several schedulers on one storage each schedule has one that sends
it, and when that one dies the others get it. The id of the job follows from that of the schedule, so that any process
can delete it: the holder sees it when it lists them, and before it sends.

To pop all that are there without waiting for more, there is a *mark*: a job of the lowest priority, which is always
there. Who pops it has popped all that was due, and puts it back.

A schedule with a time comes due as a job `lead` before that time: until then nobody holds it, and it costs nothing.
"""

from __future__ import annotations

import logging
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4, uuid5

from taskiq import ScheduledTask, ScheduleSource
from taskiq.exceptions import ScheduledTaskCancelledError

from jobcore.contrib.taskiq._place import Place
from jobcore.errors import JobcoreError, LeaseLost
from jobcore.jobs import JobResult, NewJobInfo, ReturnJobInfo
from jobcore.worker._execution import Execution
from jobcore.worker._leases import LeaseKeeper

if TYPE_CHECKING:
    from jobcore.jobs import JobInfo
    from jobcore.storage import BatchStorage

_logger = logging.getLogger("jobcore.taskiq")

SCHEDULES = UUID("0b1e7a52-6c0f-5a3e-9f64-3f5d2c8b7a10")
"""The namespace of the ids."""
MARK = "the schedules end here"
LOWEST = -32768
AT_ONCE = 1000


class JobcoreScheduleSource(ScheduleSource):
    """Schedules in a storage: by its URL, or open, as `JobcoreBroker.storage` is.

    `lead` should be longer than the scheduler's update interval (taskiq's default is a minute), or a schedule with a
    time is sent up to the difference late. A scheduler that dies frees its schedules after five `heartbeat_interval`.

    Raises `TypeError` for what is neither, at the first use `InvalidURL`, or `NotInstalled` for PostgreSQL without its
    driver.
    """

    def __init__(
        self,
        storage: str | BatchStorage,
        *,
        queue_name: str = "taskiq.schedules",
        lead: timedelta = timedelta(minutes=2),
        heartbeat_interval: timedelta = timedelta(seconds=2),
    ) -> None:
        self.queue_name = queue_name
        self._place = Place(storage)
        self._lead = lead
        self._heartbeat_interval = heartbeat_interval
        self._runner_id = uuid4()
        self._keeper: LeaseKeeper | None = None
        self._held: dict[UUID, Execution] = {}

    async def get_schedules(self) -> list[ScheduledTask]:
        """Those that this source holds: all, unless another one holds some, but those with a time long ahead."""
        storage = self._place.open()
        if self._keeper is None:
            self._keeper = LeaseKeeper(storage, self._runner_id)
            self._keeper.start()
        mark_id = uuid5(SCHEDULES, self.queue_name)
        await storage.push(
            NewJobInfo(
                MARK, queue=self.queue_name, priority=LOWEST, heartbeat_interval=self._heartbeat_interval, id=mark_id
            )
        )
        mark = None
        while mark is None:
            for job in await storage.pop_many(self.queue_name, self._runner_id, AT_ONCE):
                if job.id == mark_id:
                    mark = job
                else:
                    self._hold(job, self._keeper)
        await storage.complete_many([mark.returned(JobResult.UNEXECUTED, self._runner_id)])
        for job_id in await storage.heartbeat_many([held.job for held in self._held.values()], self._runner_id):
            self._release(job_id)
        return [ScheduledTask.model_validate(held.job.args) for held in self._held.values()]

    async def add_schedule(self, schedule: ScheduledTask) -> None:
        """Keep it, in place of one of the same id."""
        await self.delete_schedule(schedule.schedule_id)
        due = None
        if schedule.time is not None:
            due = (schedule.time if schedule.time.tzinfo else schedule.time.replace(tzinfo=UTC)) - self._lead
        await self._place.open().push(
            NewJobInfo(
                schedule.task_name,
                schedule.model_dump(mode="json"),
                queue=self.queue_name,
                heartbeat_interval=self._heartbeat_interval,
                next_queue=due,
                id=self._id_of(schedule.schedule_id),
            )
        )

    async def delete_schedule(self, schedule_id: str) -> None:
        """Forget it, whoever holds it; an unknown one is none."""
        job_id = self._id_of(schedule_id)
        storage = self._place.open()
        self._release(job_id)
        if await storage.info(job_id) is not None:
            await storage.complete(ReturnJobInfo(job_id, JobResult.SUCCESS))

    async def pre_send(self, task: ScheduledTask) -> None:
        """Send it only if it is there and this source holds it; `ScheduledTaskCancelledError` otherwise."""
        held = self._held.get(self._id_of(task.schedule_id))
        if held is None:
            raise ScheduledTaskCancelledError
        try:
            await self._place.open().heartbeat(held.job.id, self._runner_id, held.job.delivery_count)
        except LeaseLost as error:
            self._release(held.job.id)
            raise ScheduledTaskCancelledError from error

    async def post_send(self, task: ScheduledTask) -> None:
        """A schedule with a time is done when it was sent."""
        if task.time is not None:
            await self.delete_schedule(task.schedule_id)

    async def shutdown(self) -> None:
        """Leave the schedules to other schedulers, at once."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.stop()
        held, self._held = self._held, {}
        if held:
            back = [one.job.returned(JobResult.UNEXECUTED, self._runner_id) for one in held.values()]
            try:
                await self._place.open().complete_many(back)
            except JobcoreError as error:
                _logger.warning("%d schedules are left to their leases: %r", len(held), error)
        await self._place.close()

    def _id_of(self, schedule_id: str) -> UUID:
        return uuid5(SCHEDULES, f"{self.queue_name}\n{schedule_id}")

    def _hold(self, job: JobInfo, keeper: LeaseKeeper) -> None:
        self._release(job.id)
        self._held[job.id] = held = Execution(job)
        keeper.hold(held)

    def _release(self, job_id: UUID) -> None:
        held = self._held.pop(job_id, None)
        if held is not None and self._keeper is not None:
            self._keeper.release(held)
