#include "jobcore/job_index.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "jobcore/audit.hpp"
#include "jobcore/standing.hpp"

namespace jobcore {

namespace {

// Times are the caller's, any 64 bits: what would overflow stops at the latest time there is.
constexpr Time latest = std::numeric_limits<Time>::max();

Time expiry(const Job& job, Time monotonic) noexcept {
    const auto lease = static_cast<Time>(job.lease);
    return monotonic <= latest - lease ? monotonic + lease : latest;
}

// From one time to a later one.
Time span(Time from, Time to) noexcept {
    const std::uint64_t length = static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    return static_cast<Time>(std::min(length, static_cast<std::uint64_t>(latest)));
}

}  // namespace

bool JobIndex::insert(const Id& id, std::string_view queue_name, std::int16_t priority, Time due, Time lease,
                      void* handle) {
    const Audit audit(*this);
    if (table_.find(id) != nullptr) {
        return false;
    }
    table_.reserve_one();
    Queue* found = find_queue(queue_name);
    if (found == nullptr) {
        const auto made = queues_.try_emplace(std::string(queue_name)).first;
        found = &made->second;
        found->name = &made->first;
    }
    Queue& queue = *found;
    Bucket* bucket = nullptr;
    Jobs::iterator place;
    try {
        bucket = &queue.buckets.try_emplace(priority, &queue, priority).first->second;
        const Key key{due, sequence_};
        place = bucket->waiting.try_emplace(bucket->waiting.end(), key, id, bucket, due, lease, handle);
    } catch (...) {
        if (bucket != nullptr) {
            forget(*bucket);
        }
        if (queue.jobs == 0) {
            keep_warm(queue);
        }
        throw;
    }
    ++sequence_;
    ++bucket->jobs;
    ++queue.jobs;
    ++counters.pushed;
    place->second.place = place;
    table_.insert(place->second);
    first_changed(*bucket);
    if (queue.jobs == 1 && queue.buckets.size() > 1) {  // the last bucket of the empty queue had stayed
        Bucket& first = queue.buckets.begin()->second;
        forget(&first == bucket ? queue.buckets.rbegin()->second : first);
    }
    return true;
}

std::size_t JobIndex::pop(std::string_view queue_name, const Id& runner, Time wall, Time monotonic, Popped* popped,
                          std::size_t limit) noexcept {
    const Audit audit(*this);
    Queue* queue = find_queue(queue_name);
    if (queue == nullptr) {
        return 0;
    }
    refresh(*queue, wall, monotonic);
    std::size_t count = 0;
    while (count < limit && !queue->ready.empty()) {
        Bucket& bucket = *queue->ready.begin()->second;
        lease_first(bucket, runner, monotonic, popped[count]);
        ++count;
        if (count < limit && !first_is_due(queue->ready, wall)) {
            refresh(*queue, wall, monotonic);
        }
    }
    return count;
}

void JobIndex::lease_first(Bucket& bucket, const Id& runner, Time monotonic, Popped& popped) noexcept {
    Jobs::node_type node = detach(bucket.waiting.begin()->second);
    if (!bucket.waiting.empty()) {
        const Job& next = bucket.waiting.begin()->second;  // for the next pop; a node spans three cache lines
        fetch_ahead(&next.id);
        fetch_ahead(&next.place);
    }
    Job& job = node.mapped();
    table_.prefetch(job.id);  // for its completion
    popped.was_held = job.held;
    popped.holder_before = job.runner;
    if (job.held) {
        ++job.lost_count;
        ++counters.reclaimed;
    } else {
        job.held = true;
        ++bucket.queue->running;
        ++running_;
    }
    ++job.delivery_count;
    ++counters.popped;
    job.runner = runner;
    job.leased = true;
    node.key().time = expiry(job, monotonic);
    popped.id = job.id;
    popped.handle = job.handle;
    popped.due = job.due;
    popped.delivery_count = job.delivery_count;
    popped.lost_count = job.lost_count;
    popped.sequence = node.key().sequence;
    attach(std::move(node), bucket);
}

bool JobIndex::certain(std::string_view queue_name, Time wall) noexcept {
    const Queue* queue = find_queue(queue_name);
    return queue != nullptr && queue->future.empty() && !queue->ready.empty() && first_is_due(queue->ready, wall);
}

void JobIndex::undo_pop(const Popped& popped) noexcept {
    const Audit audit(*this);
    Job* job = table_.find(popped.id);
    if (job == nullptr || !job->held || job->delivery_count != popped.delivery_count ||
        job->place->first.sequence != popped.sequence) {
        return;
    }
    Bucket& bucket = *job->bucket;
    Jobs::node_type node = detach(*job);
    --job->delivery_count;
    --counters.popped;
    if (popped.was_held) {
        --job->lost_count;
        --counters.reclaimed;
        job->runner = popped.holder_before;
    } else {
        let_go(*job);
    }
    job->leased = false;
    node.key().time = job->due;
    attach(std::move(node), bucket);
}

Verdict JobIndex::heartbeat(const Id& id, const Fence& fence, Time monotonic) noexcept {
    const Audit audit(*this);
    Job* job = table_.find(id);
    const Verdict verdict = judge(job, fence);
    if (verdict != Verdict::done) {
        ++counters.lost_leases;
        return verdict;
    }
    if (!job->held) {
        return refused(Verdict::refused);
    }
    Bucket& bucket = *job->bucket;
    Jobs::node_type node = detach(*job);
    job->leased = true;
    node.key().time = expiry(*job, monotonic);
    attach(std::move(node), bucket);
    return Verdict::done;
}

Verdict JobIndex::remove(const Id& id, const Fence& fence, void*& handle) noexcept {
    const Audit audit(*this);
    Job* job = table_.find(id);
    const Verdict verdict = judge(job, fence);
    if (verdict != Verdict::done) {
        return refused(verdict);
    }
    Bucket& bucket = *job->bucket;
    handle = job->handle;
    table_.erase(*job);
    let_go(*job);
    detach(*job);
    --bucket.jobs;
    Queue& queue = *bucket.queue;
    --queue.jobs;
    forget(bucket);
    if (queue.jobs == 0) {
        keep_warm(queue);
    }
    return Verdict::done;
}

Verdict JobIndex::release(const Id& id, const Fence& fence) noexcept {
    const Audit audit(*this);
    Job* job = table_.find(id);
    const Verdict verdict = judge(job, fence);
    if (verdict != Verdict::done) {
        return refused(verdict);
    }
    Bucket& bucket = *job->bucket;
    let_go(*job);
    if (job->leased) {
        Jobs::node_type node = detach(*job);
        job->leased = false;
        node.key().time = job->due;
        attach(std::move(node), bucket);
    }
    return Verdict::done;
}

Verdict JobIndex::put_back(const Id& id, const Fence& fence, Time due, void*& handle) noexcept {
    const Audit audit(*this);
    Job* job = table_.find(id);
    const Verdict verdict = judge(job, fence);
    if (verdict != Verdict::done) {
        return refused(verdict);
    }
    Bucket& bucket = *job->bucket;
    let_go(*job);
    Jobs::node_type node = detach(*job);
    job->leased = false;
    job->due = due;
    std::swap(job->handle, handle);
    node.key() = Key{due, sequence_++};
    attach(std::move(node), bucket);
    return Verdict::done;
}

bool JobIndex::rekey(const Id& id, std::int16_t priority, Time due) {
    const Audit audit(*this);
    Job* job = table_.find(id);
    if (job == nullptr || job->held) {
        return false;
    }
    Bucket& before = *job->bucket;
    Queue& queue = *before.queue;
    Bucket& bucket = queue.buckets.try_emplace(priority, &queue, priority).first->second;
    Jobs::node_type node = detach(*job);
    job->bucket = &bucket;
    job->due = due;
    node.key() = Key{due, sequence_++};
    attach(std::move(node), bucket);
    ++bucket.jobs;
    --before.jobs;
    forget(before);
    return true;
}

Verdict JobIndex::refused(Verdict verdict) noexcept {
    counters.lost_leases += verdict == Verdict::refused;
    return verdict;
}

Verdict JobIndex::judge(const Id& id, const Fence& fence) const noexcept {
    return judge(table_.find(id), fence);
}

Verdict JobIndex::judge(const Job* job, const Fence& fence) const noexcept {
    if (job == nullptr) {
        return Verdict::unknown;
    }
    if (!fence.has_runner) {
        return Verdict::done;
    }
    const bool theirs = job->held && job->runner == fence.runner;
    const bool this_delivery = fence.delivery == Fence::any_delivery || fence.delivery == job->delivery_count;
    if (!(theirs && this_delivery)) {
        return Verdict::refused;
    }
    return Verdict::done;
}

Time JobIndex::until_next(std::string_view queue_name, Time wall, Time monotonic) noexcept {
    const Audit audit(*this);
    Queue* queue = find_queue(queue_name);
    if (queue == nullptr) {
        return nothing_to_wait_for;
    }
    refresh(*queue, wall, monotonic);
    if (!queue->ready.empty()) {
        return 0;
    }
    Time wait = nothing_to_wait_for;
    if (!queue->future.empty()) {
        wait = span(wall, queue->future.begin()->first.due);
    }
    if (!queue->leases.empty()) {
        // A lease has run out once *more* than its time has passed.
        const Time left = std::min(span(monotonic, queue->leases.begin()->first.time), latest - 1) + 1;
        wait = wait == nothing_to_wait_for ? left : std::min(wait, left);
    }
    return wait;
}

const Queue* JobIndex::find_queue(std::string_view name) const noexcept {
    const auto found = queues_.find(name);
    return found == queues_.end() ? nullptr : &found->second;
}

Queue* JobIndex::find_queue(std::string_view name) noexcept {
    if (latest_queue_ == nullptr || *latest_queue_->name != name) {
        const auto found = queues_.find(name);
        if (found == queues_.end()) {
            return nullptr;
        }
        latest_queue_ = &found->second;
    }
    return latest_queue_;
}

// Afterwards no lease in `leases` has run out, and the first bucket of `ready`, if any, has a job that is due and is
// the one of the highest priority among those that have.
void JobIndex::refresh(Queue& queue, Time wall, Time monotonic) noexcept {
    while (!queue.leases.empty() && queue.leases.begin()->first.time < monotonic) {
        Job& job = queue.leases.begin()->second;
        Bucket& bucket = *job.bucket;
        Jobs::node_type node = detach(job);
        job.leased = false;
        node.key().time = job.due;
        attach(std::move(node), bucket);
    }
    while (!queue.future.empty() && queue.future.begin()->first.due <= wall) {
        stand(*queue.future.begin()->second, Standing::ready);
    }
    while (!queue.ready.empty() && !first_is_due(queue.ready, wall)) {
        Bucket& bucket = *queue.ready.begin()->second;
        stand(bucket, bucket.waiting.empty() ? Standing::empty : Standing::future);
    }
}

// Takes a job's node out of the tree that it lies in.
Jobs::node_type JobIndex::detach(Job& job) noexcept {
    Bucket& bucket = *job.bucket;
    if (job.leased) {
        return bucket.queue->leases.extract(job.place);
    }
    Jobs::node_type node = bucket.waiting.extract(job.place);
    first_changed(bucket);
    return node;
}

// Puts a node into the tree where it belongs. Most keys are the latest of their tree, hence the hint.
void JobIndex::attach(Jobs::node_type node, Bucket& bucket) noexcept {
    const bool leased = node.mapped().leased;
    Jobs& jobs = leased ? bucket.queue->leases : bucket.waiting;
    const auto place = jobs.insert(jobs.end(), std::move(node));
    place->second.place = place;
    if (!leased) {
        first_changed(bucket);
    }
}

void JobIndex::let_go(Job& job) noexcept {
    if (job.held) {
        job.held = false;
        --job.bucket->queue->running;
        --running_;
    }
}

// Drops a bucket without jobs, unless it is the last of its queue: that goes with the queue.
void JobIndex::forget(Bucket& bucket) noexcept {
    Queue& queue = *bucket.queue;
    if (bucket.jobs == 0 && queue.buckets.size() > 1) {
        stand(bucket, Standing::empty);
        queue.buckets.erase(bucket.priority);
    }
}

void JobIndex::keep_warm(Queue& queue) noexcept {
    if (queue.warm) {
        return;
    }
    Queue*& slot = warm_[next_warm_];
    next_warm_ = (next_warm_ + 1) % warm_.size();
    if (slot != nullptr) {
        slot->warm = false;
        if (slot->jobs == 0) {
            if (latest_queue_ == slot) {
                latest_queue_ = nullptr;
            }
            queues_.erase(queues_.find(*slot->name));
        }
    }
    slot = &queue;
    queue.warm = true;
}

}  // namespace jobcore
