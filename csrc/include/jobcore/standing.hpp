#pragma once

// Where a bucket stands among those of its queue: with the empty, the ready or the future ones. Its node in the ranks
// is allocated with it and only ever moved, so none of this can fail.

#include <utility>

#include "jobcore/job.hpp"

namespace jobcore {

using Standing = Bucket::Standing;

inline Ranks::node_type take_rank(Bucket& bucket) noexcept {
    switch (bucket.standing) {
        case Standing::ready:
            return bucket.queue->ready.extract(bucket.rank);
        case Standing::future:
            return bucket.queue->future.extract(bucket.rank);
        case Standing::empty:
            break;
    }
    return std::move(bucket.unranked);
}

inline void stand(Bucket& bucket, Standing standing) noexcept {
    Ranks::node_type node = take_rank(bucket);
    bucket.standing = standing;
    if (standing == Standing::empty) {
        bucket.unranked = std::move(node);
        return;
    }
    const bool ready = standing == Standing::ready;
    node.key() = Rank{ready ? 0 : bucket.waiting.begin()->first.time, -bucket.priority};
    Ranks& ranks = ready ? bucket.queue->ready : bucket.queue->future;
    bucket.rank = ranks.insert(std::move(node)).position;
}

// After a change of the first job. A bucket among the ready stays there, empty or not due as it may be: `refresh` looks
// before it believes it. So an empty one that gets a job goes there too, unseen, and in the common case (the job is
// due) a bucket that fills and empties again and again never moves.
inline void first_changed(Bucket& bucket) noexcept {
    if (bucket.standing == Standing::ready) {
        return;
    }
    if (bucket.waiting.empty()) {
        stand(bucket, Standing::empty);
    } else if (bucket.standing == Standing::empty) {
        stand(bucket, Standing::ready);
    } else if (bucket.rank->first.due != bucket.waiting.begin()->first.time) {
        stand(bucket, Standing::future);
    }
}

// Whether the first of these buckets has a job that is due.
inline bool first_is_due(const Ranks& ranks, Time wall) noexcept {
    const Jobs& jobs = ranks.begin()->second->waiting;
    return !jobs.empty() && jobs.begin()->first.time <= wall;
}

}  // namespace jobcore
