#pragma once

// The ordered index of all jobs of a storage: a pure state machine. Time comes in as an argument; it never reads a
// clock, blocks or calls back, and knows nothing of what its handles are. It has no lock: the caller holds one.
//
// Per queue and priority, a tree of waiting jobs by (due, sequence): nothing has to move when a job comes due. Per
// queue, a tree of leases by expiry: the leases that have run out stand in front, and the next look at the queue moves
// them back to their old places. The buckets of a queue are split in those whose first job is due (`ready`, by
// priority) and those whose first job is not (`future`, by due time), so that neither a million future jobs nor
// thousands of priorities stand in the way of the next job.
//
// With n jobs, r of them leased: every operation is O(log n) amortised, whatever r is. Insertions at the end of a tree
// (what a clock that goes forward makes) and removals by id are O(1) beside the id table. A look that finds m leases
// run out costs O(m log n), once for each of them.
//
// Only `insert` and `rekey` allocate. They have the strong guarantee: when memory runs out, the index is as it was.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jobcore/id_table.hpp"
#include "jobcore/job.hpp"

namespace jobcore {

/// What became of a call on one job.
enum class Verdict {
    done,
    unknown,  ///< no such job
    refused,  ///< the caller does not hold it; nothing changed
};

/// Who calls. A job is theirs if they hold it, by this delivery; without a runner, any job is, whatever the delivery.
struct Fence {
    static constexpr std::int64_t any_delivery = -1;

    bool has_runner = false;
    Id runner{};
    std::int64_t delivery = any_delivery;
};

/// A job as it was handed out (`waiting`: as it lies there), and what `undo_pop` needs.
struct Popped {
    Id id;
    void* handle = nullptr;
    Time due = 0;
    std::uint32_t delivery_count = 0;
    std::uint32_t lost_count = 0;
    bool was_held = false;  ///< by `holder_before`, whose lease had run out
    Id holder_before{};
    std::uint64_t sequence = 0;  ///< tells it from a later job of the same id
};

/// What lies in one queue.
struct QueueGauge {
    std::string name;
    std::size_t jobs = 0;
    std::size_t running = 0;
};

/// Since the index was made. The last five are the caller's to count.
struct Counters {
    std::uint64_t pushed = 0;
    std::uint64_t popped = 0;
    std::uint64_t reclaimed = 0;
    std::uint64_t lost_leases = 0;
    std::uint64_t missing = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t dead = 0;
    std::uint64_t returned = 0;
};

class JobIndex {
public:
    static constexpr Time nothing_to_wait_for = -1;

    JobIndex() = default;
    JobIndex(const JobIndex&) = delete;
    JobIndex& operator=(const JobIndex&) = delete;

    /// Adds a job at the end of its order; false, and no change, if the id is there already.
    bool insert(const Id& id, std::string_view queue, std::int16_t priority, Time due, Time lease, void* handle);

    /// Leases the first jobs that are due, up to `limit`, to this runner and describes them in `popped`; their number.
    std::size_t pop(std::string_view queue, const Id& runner, Time wall, Time monotonic, Popped* popped,
                    std::size_t limit) noexcept;

    /// Leases the first job that is due to this runner; false if there is none.
    bool pop(std::string_view queue, const Id& runner, Time wall, Time monotonic, Popped& popped) noexcept {
        return pop(queue, runner, wall, monotonic, &popped, 1) != 0;
    }

    /// Has the memory fetched that a call about this id will look at first.
    void prefetch(const Id& id) const noexcept { table_.prefetch(id); }

    /// Whether `pop` finds a job whatever time it is after `wall`, and which one does not depend on it: then nobody
    /// needs to look at the clock. (A job that was due once is due.)
    [[nodiscard]] bool certain(std::string_view queue, Time wall) noexcept;

    /// Undoes a pop, uncounted, if the job is still held by it: its old place and its old holder come back.
    void undo_pop(const Popped& popped) noexcept;

    /// Renews a lease.
    Verdict heartbeat(const Id& id, const Fence& fence, Time monotonic) noexcept;

    /// Removes a job; its handle is the caller's again.
    Verdict remove(const Id& id, const Fence& fence, void*& handle) noexcept;

    /// Nobody holds the job any more; it waits in its old place.
    Verdict release(const Id& id, const Fence& fence) noexcept;

    /// Nobody holds the job any more; it waits for `due` at the end of its order. `handle` takes the place of its
    /// handle, which it receives.
    Verdict put_back(const Id& id, const Fence& fence, Time due, void*& handle) noexcept;

    /// Gives a waiting job another place, at the end of its order; false if it is unknown or held.
    bool rekey(const Id& id, std::int16_t priority, Time due);

    [[nodiscard]] const Job* find(const Id& id) const noexcept { return table_.find(id); }

    /// Who may act on this job.
    [[nodiscard]] Verdict judge(const Id& id, const Fence& fence) const noexcept;

    /// Microseconds until a job of this queue can be popped: 0 for at once, -1 if nothing is on its way.
    [[nodiscard]] Time until_next(std::string_view queue, Time wall, Time monotonic) noexcept;

    /// When the first of the waiting jobs of this queue comes due, whatever its priority; null if none waits. Linear
    /// in the number of priorities that are ready.
    [[nodiscard]] const Time* next_due(std::string_view queue) const noexcept;

    /// The first `limit` of the waiting jobs of a queue that are due at `wall`, in their order, higher priorities
    /// first. Linear in their number and in that of the priorities, whatever waits besides.
    [[nodiscard]] std::vector<Popped> waiting(std::string_view queue, std::size_t limit, Time wall) const;

    /// The queues that hold jobs.
    [[nodiscard]] std::vector<QueueGauge> queues() const;

    /// Calls `visit(handle)` for every job, in no order.
    template <typename Visit>
    void visit_handles(Visit visit) const {
        for (const auto& [name, queue] : queues_) {
            for (const auto& [key, job] : queue.leases) {
                visit(job.handle);
            }
            for (const auto& [priority, bucket] : queue.buckets) {
                for (const auto& [key, job] : bucket.waiting) {
                    visit(job.handle);
                }
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }
    [[nodiscard]] std::size_t running() const noexcept { return running_; }

    /// Whether every invariant holds; for tests and debug builds, O(n) for each priority.
    [[nodiscard]] bool consistent() const;

    Counters counters;

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
    };

    using Queues = std::unordered_map<std::string, Queue, Hash, std::equal_to<>>;

    [[nodiscard]] const Queue* find_queue(std::string_view name) const noexcept;
    [[nodiscard]] Queue* find_queue(std::string_view name) noexcept;
    [[nodiscard]] Verdict judge(const Job* job, const Fence& fence) const noexcept;
    Verdict refused(Verdict verdict) noexcept;
    void refresh(Queue& queue, Time wall, Time monotonic) noexcept;
    void lease_first(Bucket& bucket, const Id& runner, Time monotonic, Popped& popped) noexcept;
    Jobs::node_type detach(Job& job) noexcept;
    void attach(Jobs::node_type node, Bucket& bucket) noexcept;
    void let_go(Job& job) noexcept;
    void forget(Bucket& bucket) noexcept;
    void keep_warm(Queue& queue) noexcept;

    Queues queues_;
    Queue* latest_queue_ = nullptr;  // most calls name the queue of the call before
    IdTable table_;
    std::uint64_t sequence_ = 0;
    std::size_t running_ = 0;

    // Queues that ran empty lately stay for a while, so that one job in flight does not make and unmake its queue
    // each time; the others are gone, so that a name used once costs nothing.
    std::array<Queue*, 16> warm_{};
    std::size_t next_warm_ = 0;
};

}  // namespace jobcore
