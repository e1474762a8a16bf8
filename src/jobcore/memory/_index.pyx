# cython: language_level=3, freethreading_compatible=True, auto_pickle=False, autotestdict=False
# cython: embedsignature=True, embedsignature.format=python, binding=True
"""The C++ index for Python: types, errors, reference counts and locking; no policy.

A handle is a reference that the index owns: it is taken before the C++ call that stores it and dropped after the one
that gives it back, outside of the lock, since dropping it may run anything.

The lock is a critical section on the index: nothing on a build with a GIL (which no C++ call releases), the object's
own mutex on a free-threaded one. No Python operation happens inside, so nothing can suspend it. What leaves a section
is copied out and its handle referenced there; no pointer into the index outlives it.
"""

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from cython.operator cimport dereference
from libc.stdint cimport int16_t, int64_t
from libcpp.vector cimport vector

from jobcore._core cimport Counters, Job, Popped, QueueGauge, Verdict
from jobcore._native cimport is_uuid, uuid_from_halves, uuid_to_id
from jobcore.jobs._checks cimport check_int, check_queue, check_uuid

from jobcore.errors import LeaseLost

cdef int64_t ANY_DELIVERY = -1
cdef int64_t LONGEST_LEASE = 2 ** 61
cdef int64_t EARLIEST = -2 ** 63
cdef int64_t LATEST = 2 ** 63 - 1


cdef string_view queue_view(str queue) except *:
    # The view lives as long as the string, which keeps its UTF-8 form.
    cdef Py_ssize_t size
    cdef const char* text = PyUnicode_AsUTF8AndSize(queue, &size)
    return string_view(text, <size_t>size)


cdef Id read_id(str field, object value) except *:
    if not is_uuid(value):
        check_uuid(field, value)
    return uuid_to_id(value)


cdef int read_fence(object runner_id, int64_t delivery, Fence* fence) except -1:
    fence.delivery = delivery
    fence.has_runner = runner_id is not None
    if fence.has_runner:
        fence.runner = read_id("runner_id", runner_id)
    return 0


cdef void drop(void* handle) noexcept:
    Py_DECREF(<object>handle)


cdef class JobIndex:
    """Jobs in order, in queues, under leases, by opaque handles; for adapters to other libraries.

    A job is (id, queue, priority, due, lease) and a handle, any object. Within a queue, the jobs that are due leave by
    higher priority (16 bits), then by earlier `due`, then in the order of their insertion. Due times are microseconds
    since 1970, leases microseconds of a monotonic clock; time is always an argument. Calls are safe from any thread.

    Every call is O(log n), `walk` and `queues` aside. A call that names a job raises `KeyError` if it is unknown; one
    that names a runner raises `LeaseLost` if that runner, by that delivery, does not hold the job.
    """

    def __cinit__(self):
        self.core.reset(new CoreIndex())

    def __init__(self):
        """Make an empty index."""

    def __dealloc__(self):
        if self.core.get() != NULL:
            self.core.get().visit_handles(drop)

    def insert(self, job_id, handle, *, queue="default", priority=0, due=0, lease=25_000_000):
        """Add a job at the end of its order; False, and no change, if the id is there already."""
        cdef cpp_bool added
        cdef Id id = read_id("job_id", job_id)
        cdef int16_t rank = <int16_t>check_int("priority", priority, -32768, 32767)
        cdef int64_t moment = check_time("due", due)
        cdef int64_t duration = check_int("lease", lease, 0, LONGEST_LEASE)
        cdef string_view name
        queue = check_queue(queue)
        name = queue_view(queue)
        Py_INCREF(handle)
        try:
            with cython.critical_section(self):
                added = self.core.get().insert(id, name, rank, moment, duration, <void*>handle)
        except:
            Py_DECREF(handle)
            raise
        if not added:
            Py_DECREF(handle)
        return added

    def pop(self, queue, runner_id, wall, monotonic):
        """Lease the first job that is due: (id, handle, due, delivery_count, lost_count), or None."""
        cdef Id runner
        cdef int64_t now = check_time("wall", wall)
        cdef int64_t elapsed = check_time("monotonic", monotonic)
        cdef Popped popped
        cdef cpp_bool found
        cdef string_view name
        runner = read_id("runner_id", runner_id)
        queue = check_queue(queue)
        name = queue_view(queue)
        with cython.critical_section(self):
            found = self.core.get().pop(name, runner, now, elapsed, popped)
            if found:
                Py_INCREF(<object>popped.handle)
        if not found:
            return None
        try:
            return facts(popped)
        except:
            with cython.critical_section(self):
                self.core.get().undo_pop(popped)
            raise
        finally:
            Py_DECREF(<object>popped.handle)

    def heartbeat(self, job_id, runner_id, monotonic, delivery=None):
        """Renew the lease of the runner that holds the job."""
        cdef int64_t elapsed = check_time("monotonic", monotonic)
        cdef Id id
        cdef Fence fence
        cdef Verdict verdict
        id = read_id("job_id", job_id)
        check_uuid("runner_id", runner_id)
        read_fence(runner_id, read_delivery(delivery), &fence)
        with cython.critical_section(self):
            verdict = self.core.get().heartbeat(id, fence, elapsed)
        speak(verdict, job_id)

    def remove(self, job_id, runner_id=None, delivery=None):
        """Remove a job and return its handle."""
        cdef Id id
        cdef Fence fence
        cdef Verdict verdict
        cdef void* handle = NULL
        id = read_id("job_id", job_id)
        read_fence(runner_id, read_delivery(delivery), &fence)
        with cython.critical_section(self):
            verdict = self.core.get().remove(id, fence, handle)
        speak(verdict, job_id)
        return owned(handle)

    def release(self, job_id, runner_id=None, delivery=None):
        """Let nobody hold the job any more; it waits in its old place."""
        cdef Id id
        cdef Fence fence
        cdef Verdict verdict
        id = read_id("job_id", job_id)
        read_fence(runner_id, read_delivery(delivery), &fence)
        with cython.critical_section(self):
            verdict = self.core.get().release(id, fence)
        speak(verdict, job_id)

    def put_back(self, job_id, handle, due, runner_id=None, delivery=None):
        """Let nobody hold the job any more; it waits until `due` at the end of its order, under a new handle."""
        cdef Id id
        cdef Fence fence
        cdef Verdict verdict
        cdef void* exchanged = <void*>handle
        cdef int64_t moment = check_time("due", due)
        id = read_id("job_id", job_id)
        read_fence(runner_id, read_delivery(delivery), &fence)
        Py_INCREF(handle)
        with cython.critical_section(self):
            verdict = self.core.get().put_back(id, fence, moment, exchanged)
        # The handle that is not in the index: the old one, or ours if nothing changed.
        drop(exchanged)
        speak(verdict, job_id)

    def rekey(self, job_id, priority, due):
        """Give a waiting job another place; False, and no change, if it is unknown or held."""
        cdef int16_t rank = <int16_t>check_int("priority", priority, -32768, 32767)
        cdef int64_t moment = check_time("due", due)
        cdef Id id
        cdef cpp_bool moved
        id = read_id("job_id", job_id)
        with cython.critical_section(self):
            moved = self.core.get().rekey(id, rank, moment)
        return moved

    cdef cpp_bool look(self, const Id& id, Popped& found) noexcept:
        cdef const Job* job
        with cython.critical_section(self):
            job = self.core.get().find(id)
            if job != NULL:
                found.id = job.id
                found.handle = job.handle
                found.due = job.due
                found.delivery_count = job.delivery_count
                found.lost_count = job.lost_count
                Py_INCREF(<object>found.handle)
        return job != NULL

    def get(self, job_id):
        """The job as `pop` returns it, waiting or leased, or None."""
        cdef Popped found
        if not self.look(read_id("job_id", job_id), found):
            return None
        try:
            return facts(found)
        finally:
            Py_DECREF(<object>found.handle)

    def walk(self, queue, limit=None, wall=None):
        """The waiting jobs of a queue in their order, higher priorities first, as `pop` returns them.

        At most `limit`, and only those that are due at `wall`; without these, all.
        """
        cdef vector[Popped] jobs
        cdef Popped job
        cdef string_view name
        cdef size_t most = <size_t>-1
        cdef int64_t now = LATEST
        queue = check_queue(queue)
        name = queue_view(queue)
        if limit is not None:
            most = <size_t>check_int("limit", limit, 0, 2**62)
        if wall is not None:
            now = check_time("wall", wall)
        with cython.critical_section(self):
            jobs = self.core.get().waiting(name, most, now)
            for job in jobs:
                Py_INCREF(<object>job.handle)
        try:
            return [facts(job) for job in jobs]
        finally:
            for job in jobs:
                Py_DECREF(<object>job.handle)

    def next_due(self, queue):
        """When the first of the waiting jobs comes due, whatever its priority; None if none waits."""
        cdef const int64_t* due
        cdef int64_t moment = 0
        cdef string_view name
        queue = check_queue(queue)
        name = queue_view(queue)
        with cython.critical_section(self):
            due = self.core.get().next_due(name)
            if due != NULL:
                moment = dereference(due)
        return None if due == NULL else moment

    def until_next(self, queue, wall, monotonic):
        """Microseconds until a job of this queue can be popped: 0 for at once, None if nothing is on its way."""
        cdef int64_t wait
        cdef int64_t now = check_time("wall", wall)
        cdef int64_t elapsed = check_time("monotonic", monotonic)
        cdef string_view name
        queue = check_queue(queue)
        name = queue_view(queue)
        with cython.critical_section(self):
            wait = self.core.get().until_next(name, now, elapsed)
        return None if wait < 0 else wait

    def queues(self):
        """The queues that hold jobs: name -> (jobs, running)."""
        cdef vector[QueueGauge] gauges
        cdef QueueGauge gauge
        with cython.critical_section(self):
            gauges = self.core.get().queues()
        return {gauge.name.decode(): (gauge.jobs, gauge.running) for gauge in gauges}

    @property
    def running(self):
        """How many jobs somebody holds."""
        cdef size_t count
        with cython.critical_section(self):
            count = self.core.get().running()
        return count

    def __len__(self):
        cdef size_t count
        with cython.critical_section(self):
            count = self.core.get().size()
        return count

    def __contains__(self, job_id):
        return self.get(job_id) is not None

    def counters(self):
        """What was counted since the index was made: name -> number."""
        cdef Counters counters
        with cython.critical_section(self):
            counters = self.core.get().counters
        return {
            "pushed": counters.pushed,
            "popped": counters.popped,
            "reclaimed": counters.reclaimed,
            "completed": counters.completed,
            "failed": counters.failed,
            "dead": counters.dead,
            "returned": counters.returned,
            "lost_leases": counters.lost_leases,
            "missing": counters.missing,
        }

    def count(self, str outcome not None):
        """Count one more job that was "completed", "failed", "dead", "returned" or "missing"."""
        cdef Counters* counters
        with cython.critical_section(self):
            counters = &self.core.get().counters
            if outcome == "completed":
                counters.completed += 1
            elif outcome == "failed":
                counters.failed += 1
            elif outcome == "dead":
                counters.dead += 1
            elif outcome == "returned":
                counters.returned += 1
            else:
                counters.missing += 1

    def clear(self):
        """Remove every job; what was counted stays."""
        cdef unique_ptr[CoreIndex] emptied
        emptied.reset(new CoreIndex())
        with cython.critical_section(self):
            emptied.get().counters = self.core.get().counters
            emptied.swap(self.core)
        emptied.get().visit_handles(drop)

    def consistent(self):
        """Whether every invariant of the index holds; for tests."""
        cdef cpp_bool sound
        with cython.critical_section(self):
            sound = self.core.get().consistent()
        return sound


cdef int64_t check_time(str field, object value) except? -1:
    return check_int(field, value, EARLIEST, LATEST)


cdef tuple facts(Popped& popped):
    return (
        uuid_from_halves(popped.id.high, popped.id.low),
        <object>popped.handle,
        popped.due,
        popped.delivery_count,
        popped.lost_count,
    )


cdef int64_t read_delivery(object delivery) except? -1:
    return ANY_DELIVERY if delivery is None else check_int("delivery", delivery, 0, 2**31 - 1)


cdef int speak(Verdict verdict, object job_id) except -1:
    if verdict == Verdict.unknown:
        raise KeyError(job_id)
    if verdict == Verdict.refused:
        raise LeaseLost(job_id)
    return 0


cdef object owned(void* handle):
    # The reference that the index had becomes ours.
    result = <object>handle
    Py_DECREF(result)
    return result
