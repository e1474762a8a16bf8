"""Order: higher priority, then earlier `next_queue`, then the order of pushes."""

from __future__ import annotations

from datetime import timedelta

from jobcore.jobs import JobResult, Linear
from jobcore.testing._conformance._base import LEASE, MICROSECOND, Conformance, Stage, scenario


class Order(Conformance):
    """The order in which jobs leave a queue."""

    @scenario
    async def test_equal_jobs_leave_in_the_order_of_pushes(self, stage: Stage) -> None:
        names = [f"job {number}" for number in range(20)]
        for name in names:
            await stage.push(name)

        assert names == await stage.poppable()

    @scenario
    async def test_higher_priority_leaves_first(self, stage: Stage) -> None:
        for priority in (0, -1, 32767, 1, -32768, 32766, -32767):
            await stage.push(str(priority), priority=priority)

        assert ["32767", "32766", "1", "0", "-1", "-32767", "-32768"] == await stage.poppable()

    @scenario
    async def test_earlier_next_queue_leaves_first_within_a_priority(self, stage: Stage) -> None:
        now = stage.clock.now()
        await stage.push("now", next_queue=now)
        await stage.push("a minute ago", next_queue=now - timedelta(minutes=1))
        await stage.push("a microsecond ago", next_queue=now - timedelta(microseconds=1))
        await stage.push("a year ago, in little hurry", next_queue=now - timedelta(days=365), priority=-1)

        expected = ["a minute ago", "a microsecond ago", "now", "a year ago, in little hurry"]
        assert expected == await stage.poppable()

    @scenario
    async def test_scheduled_jobs_leave_by_the_same_order_when_all_are_due(self, stage: Stage) -> None:
        moment = stage.clock.now() + timedelta(seconds=10)
        await stage.push("late", next_queue=timedelta(seconds=20))
        await stage.push("early, first", next_queue=moment)
        await stage.push("early, second", next_queue=timedelta(seconds=10))
        await stage.push("early, third", next_queue=moment)
        await stage.push("urgent, last of all", next_queue=timedelta(seconds=30), priority=1)
        await stage.push("at once")
        await stage.advance(30)

        expected = ["urgent, last of all", "at once", "early, first", "early, second", "early, third", "late"]
        assert expected == await stage.poppable()

    @scenario
    async def test_priority_counts_among_the_due_only(self, stage: Stage) -> None:
        await stage.push("urgent, later", priority=100, next_queue=timedelta(seconds=10))
        await stage.push("plain, now")

        assert ["plain, now"] == await stage.poppable()

    @scenario
    async def test_a_job_that_came_due_is_ordered_by_its_due_time_not_its_push(self, stage: Stage) -> None:
        await stage.push("pushed first, due second", next_queue=timedelta(seconds=2))
        await stage.push("pushed second, due first", next_queue=timedelta(seconds=1))
        await stage.advance(3)
        await stage.push("pushed last")

        assert ["pushed second, due first", "pushed first, due second", "pushed last"] == await stage.poppable()

    @scenario
    async def test_queues_know_nothing_of_each_other(self, stage: Stage) -> None:
        await stage.push("first", queue="one")
        await stage.push("other", queue="other", priority=100)
        await stage.push("second", queue="one")

        assert ["first", "second"] == await stage.poppable("one")
        assert ["other"] == await stage.poppable("other")
        assert [] == await stage.poppable("on")

    @scenario
    async def test_names_of_queues_are_compared_exactly(self, stage: Stage) -> None:
        queues = ["q", "Q", "q ", " q", "qq", "%", "_", "ü", "u\u0308", "ß", "ss", "\U0001f40d", "q" * 255, "q" * 254]
        for queue in queues:
            await stage.push(f"job of {queue}", queue=queue)

        for queue in queues:
            assert [f"job of {queue}"] == await stage.poppable(queue)

    @scenario
    async def test_a_failed_job_is_put_back_as_a_new_push(self, stage: Stage) -> None:
        failing = await stage.popped("failing", backoff=Linear(0))
        await stage.push("pushed meanwhile, due at the same moment")

        assert not await stage.complete(failing, JobResult.FAILURE)
        assert ["pushed meanwhile, due at the same moment", "failing"] == await stage.poppable()

    @scenario
    async def test_a_job_handed_back_untouched_keeps_its_place(self, stage: Stage) -> None:
        for result in (JobResult.UNEXECUTED, JobResult.UNREGISTERED):
            for name in ("first", "second", "third"):
                await stage.push(name)
            first, second = await stage.pop(), await stage.pop()
            await stage.push("fourth")

            assert not await stage.complete(second, result)
            assert not await stage.complete(first, result)
            assert first.next_queue == (await stage.known(first.id)).next_queue
            assert ["first", "second", "third", "fourth"] == await stage.poppable()

    @scenario
    async def test_a_job_whose_lease_ran_out_keeps_its_place(self, stage: Stage) -> None:
        for name in ("first", "second", "third"):
            await stage.push(name)
        await stage.pop()
        await stage.pop()
        await stage.push("fourth")
        await stage.advance(LEASE + MICROSECOND)
        first = await stage.pop()
        assert "first" == first.name
        await stage.complete(first, JobResult.UNEXECUTED)

        assert ["first", "second", "third", "fourth"] == await stage.poppable()

    @scenario
    async def test_a_failed_job_comes_behind_those_that_are_due_earlier(self, stage: Stage) -> None:
        failing = await stage.popped("failing", backoff=Linear(2))
        await stage.complete(failing, JobResult.FAILURE)
        await stage.push("due before", next_queue=timedelta(seconds=1))
        await stage.push("due after", next_queue=timedelta(seconds=3))
        await stage.advance(4)

        assert ["due before", "failing", "due after"] == await stage.poppable()
