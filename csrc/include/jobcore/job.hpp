#pragma once

// The records of the index and how they hang together.
//
// A job is one node, allocated once: the value of a `std::map` node that moves between two trees as a node handle, so
// that nothing but an insertion allocates. The node lies either
//   - in `Bucket::waiting` under (due, sequence), or
//   - in `Queue::leases` under (expiry, sequence), while a lease runs;
// `due` and the sequence stay with the job, so a lease that runs out leads back to the old place.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "jobcore/id.hpp"

namespace jobcore {

/// Microseconds: since 1970 for due times, of the monotonic clock for leases.
using Time = std::int64_t;

/// The place of a job in a tree; the sequence counts insertions, so equal times keep their order.
struct Key {
    Time time = 0;
    std::uint64_t sequence = 0;

    friend bool operator<(const Key& left, const Key& right) noexcept {
        return left.time != right.time ? left.time < right.time : left.sequence < right.sequence;
    }
};

struct Bucket;
struct Job;
struct Queue;

using Jobs = std::map<Key, Job>;

struct Job {
    Job(const Id& id_, Bucket* bucket_, Time due_, Time lease_, void* handle_) noexcept
        : id(id_),
          due(due_),
          handle(handle_),
          bucket(bucket_),
          lease(static_cast<std::uint64_t>(lease_) & (~std::uint64_t{0} >> 2)),
          held(false),
          leased(false) {}

    Job* chained = nullptr;  ///< the next job in the same slot of the id table
    Id id;
    Id runner{};  ///< whoever holds it, if `held`
    Time due;
    void* handle;  ///< opaque: the index stores it and never looks
    Bucket* bucket;
    Jobs::iterator place{};
    std::uint32_t delivery_count = 0;  ///< pops so far
    std::uint32_t lost_count = 0;      ///< pops that followed a lease that ran out
    std::uint64_t lease : 62;          ///< how long a lease of this job lasts
    std::uint64_t held : 1;            ///< a runner holds it, also after its lease ran out until the next pop
    std::uint64_t leased : 1;          ///< it lies in `Queue::leases`
};

/// The place of a bucket among the buckets of its queue.
struct Rank {
    Time due = 0;            ///< of its first job; 0 among the ready
    std::int32_t order = 0;  ///< the negative priority: higher priorities first

    friend bool operator<(const Rank& left, const Rank& right) noexcept {
        return left.due != right.due ? left.due < right.due : left.order < right.order;
    }
};

using Ranks = std::map<Rank, Bucket*>;

/// The jobs of one priority in one queue. It exists as long as one of them does, leased or waiting.
struct Bucket {
    enum class Standing { empty, ready, future };

    Bucket(Queue* queue_, std::int16_t priority_) : queue(queue_), priority(priority_) {
        // The only node that its rank will ever need, so that changing its standing cannot fail.
        Ranks ranks;
        ranks.emplace(Rank{}, this);
        unranked = ranks.extract(ranks.begin());
    }

    Queue* queue;
    std::int16_t priority;
    Standing standing = Standing::empty;
    std::size_t jobs = 0;
    Jobs waiting;
    Ranks::node_type unranked;  ///< its node while its standing is `empty`
    Ranks::iterator rank{};     ///< its place in `Queue::ready` or `Queue::future` otherwise
};

/// One queue.
struct Queue {
    const std::string* name = nullptr;
    Jobs leases;
    std::map<std::int16_t, Bucket> buckets;
    Ranks ready;   ///< by priority: the first job may be due (or gone); a look at the queue finds out
    Ranks future;  ///< by due time: the first job was not due yet
    std::size_t jobs = 0;
    std::size_t running = 0;
    bool warm = false;  ///< it has a slot in `JobIndex::warm_`; every queue without jobs has one
};

}  // namespace jobcore
