// What can be read of an index without changing it; none of it is on the way of a job.

#include "jobcore/job_index.hpp"

namespace jobcore {

const Time* JobIndex::next_due(std::string_view queue_name) const noexcept {
    const Queue* queue = find_queue(queue_name);
    if (queue == nullptr) {
        return nullptr;
    }
    const Time* next = queue->future.empty() ? nullptr : &queue->future.begin()->first.due;
    for (const auto& [rank, bucket] : queue->ready) {
        if (!bucket->waiting.empty()) {
            const Time& due = bucket->waiting.begin()->first.time;
            next = next == nullptr || due < *next ? &due : next;
        }
    }
    return next;
}

std::vector<Popped> JobIndex::waiting(std::string_view queue_name, std::size_t limit, Time wall) const {
    std::vector<Popped> jobs;
    const Queue* queue = find_queue(queue_name);
    if (queue == nullptr) {
        return jobs;
    }
    for (auto bucket = queue->buckets.rbegin(); bucket != queue->buckets.rend(); ++bucket) {
        for (const auto& [key, job] : bucket->second.waiting) {
            if (jobs.size() == limit) {
                return jobs;
            }
            if (key.time > wall) {
                break;
            }
            jobs.push_back({job.id, job.handle, job.due, job.delivery_count, job.lost_count});
        }
    }
    return jobs;
}

std::vector<QueueGauge> JobIndex::queues() const {
    std::vector<QueueGauge> gauges;
    for (const auto& [name, queue] : queues_) {
        if (queue.jobs != 0) {
            gauges.push_back({name, queue.jobs, queue.running});
        }
    }
    return gauges;
}

}  // namespace jobcore
