#include <algorithm>

#include "jobcore/job_index.hpp"

namespace jobcore {

using Standing = Bucket::Standing;

// What every operation relies on, spelled out; it allocates nothing. A failure of `expect` names its line in a
// debugger.
bool JobIndex::consistent() const {
    bool sound = true;
    const auto expect = [&sound](bool holds) { sound = sound && holds; };
    std::size_t jobs = 0;
    std::size_t running = 0;
    for (const auto& [name, value] : queues_) {
        const Queue& queue = value;  // Clang before 16 captures no structured binding
        expect(queue.name == &name);
        expect(queue.jobs != 0 || queue.warm);
        std::size_t jobs_here = queue.leases.size();
        std::size_t running_here = queue.leases.size();
        std::size_t ranked = 0;
        const auto check_job = [&](const Key& key, const Job& job, Jobs::const_iterator place) {
            expect(table_.find(job.id) == &job);
            expect(Jobs::const_iterator(job.place) == place);
            expect(job.bucket->queue == &queue && &queue.buckets.at(job.bucket->priority) == job.bucket);
            expect(key.sequence < sequence_ && (job.leased || key.time == job.due));
            expect(job.held || !job.leased);
        };
        for (auto place = queue.leases.begin(); place != queue.leases.end(); ++place) {
            check_job(place->first, place->second, place);
            expect(place->second.leased);
        }
        for (const auto& [priority, bucket] : queue.buckets) {
            expect(bucket.queue == &queue && bucket.priority == priority);
            const auto is_here = [&here = bucket](const auto& lease) { return lease.second.bucket == &here; };
            const auto leased = std::count_if(queue.leases.begin(), queue.leases.end(), is_here);
            expect(bucket.jobs == bucket.waiting.size() + static_cast<std::size_t>(leased));
            expect(bucket.jobs != 0 || queue.buckets.size() == 1);
            expect(bucket.waiting.empty() ? bucket.standing != Standing::future : bucket.standing != Standing::empty);
            expect(bucket.unranked.empty() == (bucket.standing != Standing::empty));
            for (auto place = bucket.waiting.begin(); place != bucket.waiting.end(); ++place) {
                check_job(place->first, place->second, place);
                expect(!place->second.leased && place->second.bucket == &bucket);
                running_here += place->second.held;
            }
            jobs_here += bucket.waiting.size();
            if (bucket.standing != Standing::empty) {
                const bool ready = bucket.standing == Standing::ready;
                const Rank rank{ready ? 0 : bucket.waiting.begin()->first.time, -bucket.priority};
                const Ranks& ranks = ready ? queue.ready : queue.future;
                const auto found = ranks.find(rank);
                expect(found != ranks.end() && found->second == &bucket && found == Ranks::const_iterator(bucket.rank));
                ++ranked;
            }
        }
        expect(ranked == queue.ready.size() + queue.future.size());
        expect(jobs_here == queue.jobs && running_here == queue.running);
        jobs += queue.jobs;
        running += queue.running;
    }
    expect(jobs == table_.size() && running == running_);
    return sound;
}

}  // namespace jobcore
