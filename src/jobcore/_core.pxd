"""The C++ core, as `csrc/include/jobcore` declares it. What is not `except +` cannot throw."""

from libc.stdint cimport int16_t, int64_t, uint32_t, uint64_t
from libcpp cimport bool as cpp_bool
from libcpp.string cimport string
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector


cdef extern from "jobcore/clock.hpp" namespace "jobcore":
    int64_t wall_nanoseconds() noexcept
    int64_t monotonic_nanoseconds() noexcept


cdef extern from "jobcore/job_index.hpp" namespace "jobcore":
    cppclass Id:
        Id() noexcept
        uint64_t high
        uint64_t low

    cppclass Job:
        Id id
        int64_t due
        void* handle
        uint32_t delivery_count
        uint32_t lost_count

    cppclass Popped:
        Popped() noexcept
        Id id
        void* handle
        int64_t due
        uint32_t delivery_count
        uint32_t lost_count

    cppclass Fence:
        Fence() noexcept
        cpp_bool has_runner
        Id runner
        int64_t delivery

    cppclass Counters:
        uint64_t pushed
        uint64_t popped
        uint64_t reclaimed
        uint64_t lost_leases
        uint64_t missing
        uint64_t completed
        uint64_t failed
        uint64_t dead
        uint64_t returned

    cppclass QueueGauge:
        string name
        size_t jobs
        size_t running

    enum class Verdict:
        done
        unknown
        refused

    cppclass CoreIndex "jobcore::JobIndex":
        CoreIndex() except +
        Counters counters
        cpp_bool insert(
            const Id& id, string_view queue, int16_t priority, int64_t due, int64_t lease, void* handle
        ) except +
        cpp_bool pop(string_view queue, const Id& runner, int64_t wall, int64_t monotonic, Popped& popped) noexcept
        size_t pop(
            string_view queue, const Id& runner, int64_t wall, int64_t monotonic, Popped* popped, size_t limit
        ) noexcept
        void prefetch(const Id& id) noexcept
        cpp_bool certain(string_view queue, int64_t wall) noexcept
        void undo_pop(const Popped& popped) noexcept
        Verdict heartbeat(const Id& id, const Fence& fence, int64_t monotonic) noexcept
        Verdict remove(const Id& id, const Fence& fence, void*& handle) noexcept
        Verdict release(const Id& id, const Fence& fence) noexcept
        Verdict put_back(const Id& id, const Fence& fence, int64_t due, void*& handle) noexcept
        cpp_bool rekey(const Id& id, int16_t priority, int64_t due) except +
        const Job* find(const Id& id) noexcept
        Verdict judge(const Id& id, const Fence& fence) noexcept
        int64_t until_next(string_view queue, int64_t wall, int64_t monotonic) noexcept
        const int64_t* next_due(string_view queue) noexcept
        vector[Popped] waiting(string_view queue, size_t limit, int64_t wall) except +
        vector[QueueGauge] queues() except +
        void visit_handles(void (*visit)(void*) noexcept) noexcept
        size_t size() noexcept
        size_t running() noexcept
        cpp_bool consistent() except +


cdef extern from "jobcore/uuid7.hpp" namespace "jobcore":
    cppclass Uuid7Source:
        Uuid7Source() except +
        Id next(uint64_t milliseconds) except +
        void renew() noexcept
