// Threads. One index under one lock, as its callers hold it: each job is completed exactly once, though leases run out
// and jobs are put back and given up meanwhile. Several indexes without a lock: they share nothing.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "check.hpp"
#include "jobcore/job_index.hpp"
#include "jobcore/uuid7.hpp"

namespace {

using jobcore::Fence;
using jobcore::Id;
using jobcore::JobIndex;
using jobcore::Popped;
using jobcore::Time;
using jobcore::Verdict;

constexpr std::uint64_t producers = 3;
constexpr std::uint64_t consumers = 4;
constexpr std::uint64_t jobs_each = 2000;
constexpr std::uint64_t queues = 20;

template <typename Work>
std::vector<std::future<void>> start(std::uint64_t count, Work work) {
    std::vector<std::future<void>> threads;
    for (std::uint64_t i = 0; i < count; ++i) {
        threads.push_back(std::async(std::launch::async, work, i));
    }
    return threads;
}

std::string queue_name(std::uint64_t i) {
    return "a queue whose name is too long for a small string, number " + std::to_string(i);
}

struct Shared {
    std::mutex lock;
    JobIndex index;
    Time now = 0;
    std::vector<std::atomic<int>> completed = std::vector<std::atomic<int>>(producers * jobs_each);
    std::atomic<std::uint64_t> left{producers * jobs_each};
};

void produce(Shared& shared, std::uint64_t producer) {
    for (std::uint64_t i = 0; i < jobs_each; ++i) {
        const std::uint64_t number = producer * jobs_each + i;
        const auto priority = static_cast<std::int16_t>(i % 5);
        void* handle = &shared.completed[number];
        const std::lock_guard guard(shared.lock);
        CHECK(shared.index.insert(Id{number, producer}, queue_name(i % queues), priority, shared.now, 50, handle));
    }
}

// Takes a job and ends it, one way or the other; false if there is none.
bool consume_one(Shared& shared, const Id& runner, const std::string& name, std::uint64_t chance) {
    Popped popped;
    {
        const std::lock_guard guard(shared.lock);
        ++shared.now;
        if (!shared.index.pop(name, runner, shared.now, shared.now, popped)) {
            return false;
        }
    }
    const Fence fence{true, runner, popped.delivery_count};
    void* handle = popped.handle;
    const std::lock_guard guard(shared.lock);
    if (chance == 0) {  // lost: the lease runs out
        shared.now += 20;
    } else if (chance == 1) {
        shared.index.undo_pop(popped);
    } else if (chance == 2) {
        shared.index.put_back(popped.id, fence, shared.now + 3, handle);
    } else if (chance == 3) {
        shared.index.heartbeat(popped.id, fence, shared.now);
        shared.index.release(popped.id, fence);
    } else if (shared.index.remove(popped.id, fence, handle) == Verdict::done) {
        CHECK(handle == popped.handle);
        static_cast<std::atomic<int>*>(handle)->fetch_add(1);
        shared.left.fetch_sub(1);
    }
    return true;
}

void consume(Shared& shared, std::uint64_t consumer) {
    const Id runner{1000 + consumer, consumer};
    for (std::uint64_t round = consumer; shared.left != 0; ++round) {
        const std::string name = queue_name(round % queues);
        std::uint64_t chance = round % 11;
        while (consume_one(shared, runner, name, chance)) {
            chance = (chance + 3) % 11;
        }
    }
}

void test_one_index_under_a_lock() {
    Shared shared;
    {
        const auto made = start(producers, [&shared](std::uint64_t i) { produce(shared, i); });
        const auto taken = start(consumers, [&shared](std::uint64_t i) { consume(shared, i); });
    }
    for (const std::atomic<int>& completed : shared.completed) {
        CHECK(completed == 1);
    }
    CHECK(shared.index.consistent() && shared.index.size() == 0 && shared.index.running() == 0);
    CHECK(shared.index.counters.pushed == producers * jobs_each);
    CHECK(shared.index.counters.popped >= producers * jobs_each && shared.index.counters.reclaimed > 0);
}

void test_indexes_without_a_lock() {
    const auto threads = start(6, [](std::uint64_t thread) {
        JobIndex index;
        jobcore::Uuid7Source ids;
        const Id runner{thread, 0};
        for (std::uint64_t i = 0; i < 3000; ++i) {
            const std::string name = queue_name(i % queues);
            CHECK(index.insert(ids.next(i), name, static_cast<std::int16_t>(i % 7), 0, 5, nullptr));
            Popped popped;
            if (i % 3 != 0 && index.pop(name, runner, 0, static_cast<Time>(i), popped)) {
                void* handle = nullptr;
                CHECK(index.remove(popped.id, Fence{true, runner, popped.delivery_count}, handle) == Verdict::done);
            }
        }
        CHECK(index.consistent() && index.size() == 1000);
    });
}

}  // namespace

int main() {
    test_one_index_under_a_lock();
    test_indexes_without_a_lock();
}
