"""The compiled index against the one in plain Python: whatever is done, in whatever order, both answer the same.

Ids, queues, priorities and moments come from small pools, so that they collide. Both clocks go forward and back: to an
index, time is what it is told.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import jobcore
from jobcore.errors import LeaseLost
from jobcore.memory import JobIndex
from jobcore.memory._pyindex import JobIndex as PlainIndex

if TYPE_CHECKING:
    from collections.abc import Callable

if jobcore.IMPLEMENTATION != "cpp":
    # Beside interpreted values the compiled index cannot be imported even where it is.
    pytest.skip("compares the compiled index, and jobcore runs in plain Python", allow_module_level=True)

POOL = [UUID(int=number) for number in range(1, 9)]
IDS = st.sampled_from(POOL)
RUNNERS = st.sampled_from([UUID(int=100), UUID(int=200)])
MAYBE_RUNNERS = st.none() | RUNNERS
NAMES = ["one", "drüben"]
QUEUES = st.sampled_from(NAMES)
PRIORITIES = st.sampled_from([0, 0, 0, 1, 32767, -32768])
DUES = st.sampled_from([0, 1, 2, 3, 4, 5, 2**63 - 1, -(2**63)])
LEASES = st.sampled_from([0, 1, 2, 5, 2**61])
DELIVERIES = st.sampled_from([None, None, -1, 0, 0, 0, 1])
STEPS = st.sampled_from([1, 1, 2, 3, 6, -2])
LIMITS = st.sampled_from([None, 0, 1, 3, 2**62])

NUMBERS = [True, -1, 2**15, 2**63 - 1, -(2**63), 2**63]
TEXTS = ["text", "", "a\0b", "\ud800", "q" * 256]
OTHERS = [None, b"", object(), 1.5, UUID(int=1)]
WRONG = st.sampled_from([*NUMBERS, *TEXTS, *OTHERS])

ARGUMENTS = {
    "insert": ["job_id", "handle", "queue", "priority", "due", "lease"],
    "pop": ["queue", "runner_id", "wall", "monotonic"],
    "heartbeat": ["job_id", "runner_id", "monotonic", "delivery"],
    "remove": ["job_id", "runner_id", "delivery"],
    "release": ["job_id", "runner_id", "delivery"],
    "put_back": ["job_id", "handle", "due", "runner_id", "delivery"],
    "rekey": ["job_id", "priority", "due"],
    "get": ["job_id"],
    "walk": ["queue", "limit", "wall"],
    "next_due": ["queue"],
    "until_next": ["queue", "wall", "monotonic"],
    "__contains__": ["job_id"],
}


class Handle:
    """What both indexes keep for a job."""


def is_full(machine: IndexMachine) -> bool:
    """Little happens in an empty index, so it is emptied only then."""
    return len(machine.plain) == len(POOL)


class IndexMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.compiled = JobIndex()
        self.plain = PlainIndex()
        self.wall = 3
        self.monotonic = 3
        self.handles: weakref.WeakSet[Handle] = weakref.WeakSet()

    def handle(self) -> Handle:
        handle = Handle()
        self.handles.add(handle)
        return handle

    def both(self, method: str, *args: Any, **options: Any) -> Any:
        """Call it on both: the same answer, or the same refusal."""
        expected = outcome(getattr(self.plain, method), *args, **options)
        actual = outcome(getattr(self.compiled, method), *args, **options)
        assert expected == actual
        return actual

    def delivery(self, job_id: UUID, offset: int | None) -> int | None:
        """A delivery of this job: none, the one of now (offset 0), or one beside it."""
        facts = self.plain.get(job_id)
        return None if offset is None or facts is None else max(0, facts[3] + offset)

    @rule(job_id=IDS, queue=QUEUES, priority=PRIORITIES, due=DUES, lease=LEASES)
    def insert(self, job_id: UUID, queue: str, priority: int, due: int, lease: int) -> None:
        self.both("insert", job_id, self.handle(), queue=queue, priority=priority, due=due, lease=lease)

    @rule(queue=QUEUES, priority=PRIORITIES, due=DUES, lease=LEASES)
    def insert_the_rest(self, queue: str, priority: int, due: int, lease: int) -> None:
        """All ids that are not there, in one place, so that only their turn tells them apart."""
        for job_id in POOL:
            self.both("insert", job_id, self.handle(), queue=queue, priority=priority, due=due, lease=lease)

    @rule(queue=QUEUES, runner=RUNNERS)
    def pop(self, queue: str, runner: UUID) -> None:
        self.both("pop", queue, runner, self.wall, self.monotonic)

    @rule(queue=QUEUES, runner=RUNNERS)
    def drain(self, queue: str, runner: UUID) -> None:
        """Pop everything that can be popped, in order."""
        while self.both("pop", queue, runner, self.wall, self.monotonic) is not None:
            continue

    @precondition(is_full)
    @rule()
    def remove_all(self) -> None:
        for job_id in POOL:
            self.both("remove", job_id)

    @rule(job_id=IDS, runner=RUNNERS, offset=DELIVERIES)
    def heartbeat(self, job_id: UUID, runner: UUID, offset: int | None) -> None:
        self.both("heartbeat", job_id, runner, self.monotonic, self.delivery(job_id, offset))

    @rule(job_id=IDS, runner=MAYBE_RUNNERS, offset=DELIVERIES)
    def remove(self, job_id: UUID, runner: UUID | None, offset: int | None) -> None:
        self.both("remove", job_id, runner, self.delivery(job_id, offset))

    @rule(job_id=IDS, runner=MAYBE_RUNNERS, offset=DELIVERIES)
    def release(self, job_id: UUID, runner: UUID | None, offset: int | None) -> None:
        self.both("release", job_id, runner, self.delivery(job_id, offset))

    @rule(job_id=IDS, due=DUES, runner=MAYBE_RUNNERS, offset=DELIVERIES)
    def put_back(self, job_id: UUID, due: int, runner: UUID | None, offset: int | None) -> None:
        self.both("put_back", job_id, self.handle(), due, runner, self.delivery(job_id, offset))

    @rule(job_id=IDS, priority=PRIORITIES, due=DUES)
    def rekey(self, job_id: UUID, priority: int, due: int) -> None:
        self.both("rekey", job_id, priority, due)

    @rule(queue=QUEUES)
    def until_next(self, queue: str) -> None:
        self.both("until_next", queue, self.wall, self.monotonic)

    @rule(queue=QUEUES, job_id=IDS)
    def let_leases_run_out(self, queue: str, job_id: UUID) -> None:
        """They run out and it is noticed, but as long as nobody pops the jobs they are held."""
        self.monotonic += 6
        self.both("until_next", queue, self.wall, self.monotonic)
        self.both("rekey", job_id, 0, 0)

    @rule(queue=QUEUES, limit=LIMITS, due=st.booleans())
    def walk(self, queue: str, limit: int | None, due: bool) -> None:  # noqa: FBT001
        self.both("walk", queue, limit, self.wall if due else None)

    @rule(outcome=st.sampled_from(["completed", "failed", "dead", "returned", "missing", "popped"]))
    def count(self, outcome: str) -> None:
        self.both("count", outcome)

    @rule(step=STEPS)
    def pass_time(self, step: int) -> None:
        self.wall += step
        self.monotonic += step

    @rule(step=STEPS)
    def set_the_wall_clock(self, step: int) -> None:
        self.wall += step

    @rule(priority=PRIORITIES)
    def use_many_queues_once(self, priority: int) -> None:
        """More than are kept for the next time."""
        for number in range(20):
            self.both("insert", UUID(int=1000), self.handle(), queue=f"once {number}", priority=priority)
            self.both("remove", UUID(int=1000))

    @precondition(is_full)
    @rule()
    def clear(self) -> None:
        self.both("clear")

    @rule(method=st.sampled_from(list(ARGUMENTS)), data=st.data())
    def call_with_nonsense(self, method: str, data: st.DataObject) -> None:
        """One argument is anything; the others are right."""
        right: dict[str, Any] = {
            "job_id": data.draw(IDS),
            "handle": self.handle(),
            "queue": data.draw(QUEUES),
            "runner_id": data.draw(RUNNERS),
            "delivery": data.draw(st.sampled_from([None, 1])),
            "priority": data.draw(PRIORITIES),
            "due": data.draw(DUES),
            "lease": data.draw(LEASES),
            "wall": self.wall,
            "monotonic": self.monotonic,
            "limit": None,
        }
        args = {name: right[name] for name in ARGUMENTS[method]}
        wrong = data.draw(st.sampled_from([name for name in args if name != "handle"]))
        args[wrong] = data.draw(WRONG)
        if method == "insert":
            self.both(method, args.pop("job_id"), args.pop("handle"), **args)
        else:
            self.both(method, *args.values())

    @invariant()
    def they_hold_the_same(self) -> None:
        assert len(self.plain) == len(self.compiled)
        assert self.plain.running == self.compiled.running
        assert self.plain.queues() == self.compiled.queues()
        assert self.plain.counters() == self.compiled.counters()
        for job_id in POOL:
            assert (job_id in self.plain) == (job_id in self.compiled)
            self.both("get", job_id)
        for queue in NAMES:
            self.both("walk", queue)
            self.both("next_due", queue)

    @invariant()
    def each_is_consistent(self) -> None:
        assert self.plain.consistent()
        assert self.compiled.consistent()

    @invariant()
    def a_handle_lives_as_long_as_its_job(self) -> None:
        assert len(self.plain) == len(self.handles)


def outcome(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What a call returns, or how it refuses."""
    try:
        return call(*args, **options)
    except (LeaseLost, KeyError, jobcore.InvalidJob) as error:
        return repr(error)


TestIndexMachine = IndexMachine.TestCase
TestIndexMachine.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
