# cython: language_level=3, freethreading_compatible=True, auto_pickle=False, autotestdict=False
# cython: embedsignature=True, embedsignature.format=python, binding=True
"""The hot path of MemoryStorage: the verbs from Python into the C++ index and back.

Each verb is there as a plain call (`push_nowait`) and as one to await (`push`). What can be done at once is done here;
what cannot is the storage's, in Python: `_changed` (wake whoever waits on a queue), `_wait` (a pop that found nothing),
`_breathe` (a pop that must let its event loop run first), `_put_back` (a completion that is more than a removal),
`_missing` (a completion of an unknown job).

`_pycalls.py` is this file in plain Python. Locking and references are as in `_index.pyx`.
"""

cimport cython
from cpython.dict cimport PyDict_Size
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t
from libcpp cimport bool as cpp_bool
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector

from jobcore._core cimport Fence, Id, Popped, Verdict, monotonic_nanoseconds, wall_nanoseconds
from jobcore._native cimport id_from_bytes, new_id, uuid_from_halves
from jobcore.jobs._checks cimport check_int, check_queue, check_uuid
from jobcore.jobs._job cimport JobInfo, stored
from jobcore.jobs._new cimport NewJobInfo
from jobcore.jobs._returned cimport ReturnJobInfo
from jobcore.memory._index cimport JobIndex, queue_view, read_delivery, read_fence, read_id

import asyncio
import inspect
import time
from collections.abc import Coroutine

from jobcore._native import quicken
from jobcore.errors import InvalidJobType, LeaseLost, StorageClosed
from jobcore.jobs._results import RESULTS, Completion, JobResult

cdef extern from "_awaitable.hpp" namespace "jobcore":
    cppclass Call:
        PyObject* owner
        PyObject* first
        PyObject* second
        PyObject* third
        PyObject* rest

    ctypedef object (*Verb)(Call* call)
    object call_setup()
    object new_call(const char* name, Verb verb, object owner, PyObject* first, PyObject* second, PyObject* third)

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define JOBCORE_HAS_GIL 0
    #else
    #define JOBCORE_HAS_GIL 1
    #endif
    """
    const bint HAS_GIL "JOBCORE_HAS_GIL"

Coroutine.register(call_setup())

quicken(JobResult)
quicken(Completion)

cdef int SUCCESS = RESULTS.index(JobResult.SUCCESS)
cdef int DEAD = RESULTS.index(JobResult.DEAD)


cdef class MemoryCalls:
    """What `MemoryStorage` inherits its verbs from."""

    def __init__(self, JobIndex index, clock, dict waitlists):
        self.index = index
        self.clock = None if clock is time else clock
        self.waitlists = waitlists
        self.refusal = ""

    cdef int64_t wall(self) except? -1:
        if self.clock is None:
            self.latest_wall = wall_nanoseconds() // 1000
        else:
            self.latest_wall = <int64_t>self.clock.time_ns() // 1000
        return self.latest_wall

    cdef int64_t monotonic(self) except? -1:
        if self.clock is None:
            return monotonic_nanoseconds() // 1000
        return <int64_t>self.clock.monotonic_ns() // 1000

    def now(self):
        """The storage's time, in microseconds since 1970."""
        return self.wall()

    def until_next(self, str queue):
        """Seconds until a job of this queue can be popped: 0 for at once, None if nothing is on its way."""
        wait = self.index.until_next(queue, self.wall(), self.monotonic())
        return None if wait is None else wait / 1e6

    def check_open(self):
        """Raise `StorageClosed` if it is."""
        self.refuse_if_closed()

    cdef int refuse_if_closed(self) except -1:
        if self.closed:
            raise StorageClosed(self.refusal)
        return 0

    def shut(self, str refusal):
        """Refuse every call from now on, for this reason, and drop the jobs; False if it refused them before."""
        if not self.refuse(refusal):
            return False
        self.index.clear()
        return True

    def refuse(self, str refusal):
        """Refuse every call from now on, for this reason; False if it refused them before."""
        with cython.critical_section(self):
            if self.closed:
                return False
            self.refusal = refusal
            self.closed = True
        return True

    cdef int changed(self, str queue) except -1:
        if PyDict_Size(self.waitlists):
            self._changed(queue)
        return 0

    cdef object pop_one(self, object queue, object runner_id, int64_t monotonic):
        # The job, or None. The queue's name is checked in full only where nothing is found under it.
        cdef Id runner
        cdef Popped popped
        cdef cpp_bool found = False
        cdef string_view name
        cdef int64_t wall = self.latest_wall if self.clock is None else self.wall()
        self.refuse_if_closed()
        runner = read_id("runner_id", runner_id)
        if type(queue) is not str or not (<str>queue).isascii():
            queue = check_queue(queue)
        name = queue_view(<str>queue)
        with cython.critical_section(self.index):
            if self.clock is None and not self.index.core.get().certain(name, wall):
                wall = self.latest_wall = wall_nanoseconds() // 1000
            found = self.index.core.get().pop(name, runner, wall, monotonic, popped)
            if found:
                Py_INCREF(<object>popped.handle)
        if not found:
            check_queue(queue)
            return None
        try:
            return describe(popped)
        except:
            self.undo(popped)
            raise
        finally:
            Py_DECREF(<object>popped.handle)

    cdef int undo(self, const Popped& popped) except -1:
        with cython.critical_section(self.index):
            self.index.core.get().undo_pop(popped)
        return 0

    def push_nowait(self, job):
        """`push` as a plain call."""
        return self.push_one(job)

    cdef object push_one(self, object job):
        cdef NewJobInfo new
        cdef Id id
        cdef int64_t wall
        cdef int64_t due
        cdef cpp_bool added
        cdef string_view name
        if not isinstance(job, NewJobInfo):
            raise InvalidJobType("job", "a NewJobInfo", job)
        self.refuse_if_closed()
        new = <NewJobInfo>job
        wall = self.wall()
        if new._id is None:
            id = new_id(wall if self.clock is None else wall_nanoseconds() // 1000)
        else:
            id = id_from_bytes(new._id)
        if HAS_GIL:  # without, a lock of its own would cost more than it gains
            self.index.core.get().prefetch(id)
        job_id = uuid_from_halves(id.high, id.low)
        due = wall if new._when == 0 else new.due_at(wall)
        name = queue_view(new._queue)
        Py_INCREF(job)
        try:
            with cython.critical_section(self.index):
                added = self.index.core.get().insert(
                    id, name, new._priority, due, 5 * new._heartbeat, <void*>job
                )
        except:
            Py_DECREF(job)
            raise
        if added:
            self.changed(new._queue)
        else:
            Py_DECREF(job)
        return job_id

    def pop_nowait(self, queue, runner_id):
        """`pop` as a plain call; None if no job is due."""
        return self.pop_one(queue, runner_id, self.monotonic())

    def pop_many_nowait(self, queue, runner_id, limit):
        """`pop_many` as a plain call; an empty list if no job is due."""
        cdef Id runner
        cdef vector[Popped] batch
        cdef Popped popped
        cdef string_view name
        cdef int64_t wall
        cdef int64_t monotonic
        cdef Py_ssize_t most = check_int("limit", limit, 1, 2**31 - 1)
        cdef list jobs = []
        self.refuse_if_closed()
        runner = read_id("runner_id", runner_id)
        queue = check_queue(queue)
        name = queue_view(queue)
        wall = self.wall()
        monotonic = self.monotonic()
        with cython.critical_section(self.index):
            batch.resize(min(<size_t>most, self.index.core.get().size()))
            batch.resize(self.index.core.get().pop(name, runner, wall, monotonic, batch.data(), batch.size()))
            for popped in batch:
                Py_INCREF(<object>popped.handle)
        try:
            for popped in batch:
                jobs.append(describe(popped))
        except:
            for popped in batch:
                self.undo(popped)
            raise
        finally:
            for popped in batch:
                Py_DECREF(<object>popped.handle)
        return jobs

    def heartbeat_nowait(self, job_id, runner_id, delivery=None):
        """`heartbeat` as a plain call."""
        self.renew_one(job_id, runner_id, delivery)

    cdef object renew_one(self, object job_id, object runner_id, object delivery):
        cdef Id id
        cdef Fence fence
        cdef Verdict verdict
        cdef int64_t monotonic
        self.refuse_if_closed()
        id = read_id("job_id", job_id)
        check_uuid("runner_id", runner_id)
        read_fence(runner_id, read_delivery(delivery), &fence)
        monotonic = self.monotonic()
        with cython.critical_section(self.index):
            verdict = self.index.core.get().heartbeat(id, fence, monotonic)
        if verdict != Verdict.done:
            raise LeaseLost(job_id)

    def complete_nowait(self, returned):
        """`complete` as a plain call."""
        return self.complete_one(returned)

    cdef bint complete_one(self, object returned) except -1:
        cdef ReturnJobInfo back
        cdef Id id
        cdef Fence fence
        cdef Verdict verdict
        cdef void* handle = NULL
        cdef bint success
        if not isinstance(returned, ReturnJobInfo):
            raise InvalidJobType("returned", "a ReturnJobInfo", returned)
        self.refuse_if_closed()
        back = <ReturnJobInfo>returned
        success = back._result == SUCCESS
        if not success and back._result != DEAD:
            return self._put_back(back)
        id.high = back._high
        id.low = back._low
        fence.has_runner = back._has_runner
        fence.runner.high = back._runner_high
        fence.runner.low = back._runner_low
        fence.delivery = back._delivery
        with cython.critical_section(self.index):
            verdict = self.index.core.get().remove(id, fence, handle)
            if verdict == Verdict.done:
                if success:
                    self.index.core.get().counters.completed += 1
                else:
                    self.index.core.get().counters.dead += 1
        if verdict == Verdict.unknown:
            return self._missing(back)
        if verdict == Verdict.refused:
            raise LeaseLost(back.id)
        Py_DECREF(<object>handle)
        return True

    def info_nowait(self, job_id):
        """`info` as a plain call."""
        return self.find_one(job_id)

    cdef object find_one(self, object job_id):
        cdef Popped found
        self.refuse_if_closed()
        if not self.index.look(read_id("job_id", job_id), found):
            return None
        try:
            return describe(found)
        finally:
            Py_DECREF(<object>found.handle)

    def push(self, job):
        """Put a job into its queue and return its id; if its id is there already, change nothing."""
        return new_call("push", run_push, self, <PyObject*>job, NULL, NULL)

    def pop(self, queue, runner_id):
        """Wait for a job of this queue that is due, and lease it to this runner."""
        return new_call("pop", run_pop, self, <PyObject*>queue, <PyObject*>runner_id, NULL)

    def heartbeat(self, job_id, runner_id, delivery=None):
        """Renew the lease that this runner holds; `LeaseLost` when it does not."""
        return new_call(
            "heartbeat", run_heartbeat, self, <PyObject*>job_id, <PyObject*>runner_id, <PyObject*>delivery
        )

    def complete(self, returned):
        """Hand a job back; True when it is not queued again. `LeaseLost` when its runner does not hold it."""
        return new_call("complete", run_complete, self, <PyObject*>returned, NULL, NULL)

    def info(self, job_id):
        """The job as it is now, or None."""
        return new_call("info", run_info, self, <PyObject*>job_id, NULL, NULL)


cdef JobInfo describe(Popped& popped):
    return stored(
        <object>popped.handle,
        popped.id.high,
        popped.id.low,
        popped.due,
        popped.delivery_count,
        popped.lost_count,
    )


cdef object run_push(Call* call):
    return (<MemoryCalls>call.owner).push_one(<object>call.first)


cdef object run_pop(Call* call):
    cdef MemoryCalls calls = <MemoryCalls>call.owner
    cdef int64_t monotonic = calls.monotonic()
    job = None
    if (monotonic if calls.clock is None else monotonic_nanoseconds() // 1000) >= calls.breathe_at:
        rest = calls._breathe(<object>call.first, <object>call.second)
    else:
        job = calls.pop_one(<object>call.first, <object>call.second, monotonic)
        if job is not None:
            return job
        rest = calls._wait(<object>call.first, <object>call.second)
    Py_INCREF(rest)
    call.rest = <PyObject*>rest
    return None


cdef object run_heartbeat(Call* call):
    return (<MemoryCalls>call.owner).renew_one(<object>call.first, <object>call.second, <object>call.third)


cdef object run_complete(Call* call):
    return (<MemoryCalls>call.owner).complete_one(<object>call.first)


cdef object run_info(Call* call):
    return (<MemoryCalls>call.owner).find_one(<object>call.first)


# What they return is a coroutine, so tools that ask beforehand shall hear so.
for _verb in (MemoryCalls.push, MemoryCalls.pop, MemoryCalls.heartbeat, MemoryCalls.complete, MemoryCalls.info):
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(_verb)
    else:
        _verb._is_coroutine = asyncio.coroutines._is_coroutine
