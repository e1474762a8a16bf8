// What the index takes of the memory: nothing but an insertion (or a rekey to a new priority) allocates, and what it
// holds follows the jobs that are there, not those that were.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "jobcore/job_index.hpp"

namespace {

namespace allocations = jobcore::testing::allocations;

using jobcore::Fence;
using jobcore::Id;
using jobcore::JobIndex;
using jobcore::Popped;
using jobcore::Verdict;

constexpr std::uint64_t queues = 20;
const Id runner{7, 7};

std::string queue_name(std::uint64_t i) {
    return "a queue whose name is too long for a small string, number " + std::to_string(i);
}

void fill(JobIndex& index, std::uint64_t jobs) {
    for (std::uint64_t i = 0; i < jobs; ++i) {
        const auto priority = static_cast<std::int16_t>(i % 3);
        CHECK(index.insert(Id{i, i}, queue_name(i % queues), priority, static_cast<jobcore::Time>(i % 7), 10, nullptr));
    }
}

void remove(JobIndex& index, const Id& id) {
    void* handle = nullptr;
    CHECK(index.remove(id, Fence{}, handle) == Verdict::done);
}

void test_that_only_insertions_allocate() {
    constexpr std::uint64_t jobs = 900;
    JobIndex index;
    fill(index, jobs);
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < queues + 1; ++i) {  // one of them unknown
        names.push_back(queue_name(i));
    }
    std::vector<Popped> taken;
    taken.reserve(jobs);
    const allocations::Failing failing(0);
    const auto work = [&] {
        jobcore::Time monotonic = 0;
        for (const std::string& name : names) {
            Popped popped;
            taken.clear();
            const bool known = name != names.back();
            CHECK(index.until_next(name, -1, monotonic) == (known ? 1 : JobIndex::nothing_to_wait_for));
            CHECK((index.next_due(name) != nullptr) == known);
            while (index.certain(name, 3) && index.pop(name, runner, 3, monotonic, popped)) {
                taken.push_back(popped);
            }
            while (index.pop(name, runner, 50, monotonic, popped)) {
                taken.push_back(popped);
            }
            CHECK(index.next_due(name) == nullptr);
            for (std::size_t i = 0; i < taken.size(); ++i) {
                const Fence fence{true, runner, i % 2 == 0 ? taken[i].delivery_count : Fence::any_delivery};
                void* handle = nullptr;
                CHECK(index.judge(taken[i].id, fence) == Verdict::done);
                CHECK(index.heartbeat(taken[i].id, fence, monotonic) == Verdict::done);
                if (i % 5 == 0) {
                    index.undo_pop(taken[i]);
                } else if (i % 5 == 1) {
                    CHECK(index.release(taken[i].id, fence) == Verdict::done);
                } else if (i % 5 == 2) {
                    CHECK(index.put_back(taken[i].id, fence, 9, handle) == Verdict::done);
                } else if (i % 5 == 3) {
                    CHECK(index.remove(taken[i].id, fence, handle) == Verdict::done);
                }
            }
            monotonic += 100;
            CHECK(index.until_next(name, 50, monotonic) == (taken.empty() ? JobIndex::nothing_to_wait_for : 0));
            while (index.pop(name, runner, 50, monotonic, popped)) {
            }
            while (index.rekey(popped.id, 0, 5)) {
            }
        }
    };
    CHECK(allocations::count(work) == 0);
    CHECK(index.counters.popped > jobs && index.counters.reclaimed > 0);
}

void test_that_removals_need_no_memory() {
    // Where the id table would like to shrink and cannot, it stays as it is, and tries again later.
    JobIndex index;
    const std::size_t empty = allocations::bytes;
    fill(index, 5000);
    {
        const allocations::Failing failing(0);
        for (std::uint64_t i = 0; i < 4990; ++i) {
            remove(index, Id{i, i});
        }
    }
    CHECK(index.consistent());
    const std::size_t unshrunk = allocations::bytes;
    for (std::uint64_t i = 4990; i < 5000; ++i) {
        remove(index, Id{i, i});
    }
    CHECK(index.consistent());
    CHECK(unshrunk - allocations::bytes > 5000 * sizeof(void*));
    CHECK(allocations::bytes - empty < 16 * 2000);  // the warm queues
}

void test_that_names_used_once_cost_nothing() {
    JobIndex index;
    std::size_t live = 0;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        index.insert(Id{1, 1}, queue_name(10000 + i), static_cast<std::int16_t>(i % 100), 0, 1, nullptr);
        if (i % 2 == 0) {
            Popped popped;
            CHECK(index.pop(queue_name(10000 + i), runner, 0, 0, popped));
        }
        remove(index, Id{1, 1});
        if (i == 100) {
            live = allocations::live;
        }
        CHECK(i <= 100 || allocations::live == live);
    }
}

void test_that_queues_at_work_among_the_empty_ones_cost_nothing() {
    // A queue that ran empty is at work again while others run empty; then it does so for good.
    JobIndex index;
    std::size_t live = 0;
    for (std::uint64_t i = 0; i < 300; ++i) {
        const std::string name = queue_name(10000 + i);
        const auto insert = [&index](const Id& id, const std::string& queue) {
            CHECK(index.insert(id, queue, 0, 0, 1, nullptr));
        };
        insert(Id{1, 1}, name);
        remove(index, Id{1, 1});
        insert(Id{1, 1}, name);
        for (std::uint64_t j = 0; j < 20; ++j) {
            insert(Id{2, 2}, queue_name(20000 + j));
            remove(index, Id{2, 2});
        }
        remove(index, Id{1, 1});
        live = i == 10 ? allocations::live : live;
        CHECK(i <= 10 || allocations::live == live);
    }
}

void test_that_a_queue_that_goes_is_forgotten() {
    JobIndex index;
    fill(index, queues);
    remove(index, Id{0, 0});
    CHECK(index.until_next(queue_name(0), 0, 0) == JobIndex::nothing_to_wait_for);  // it was the latest to be named
    for (std::uint64_t i = 1; i < queues; ++i) {
        remove(index, Id{i, i});
    }
    CHECK(index.until_next(queue_name(0), 0, 0) == JobIndex::nothing_to_wait_for);
    fill(index, queues);
    CHECK(index.until_next(queue_name(0), 0, 0) == 0 && index.consistent());
}

void test_that_one_job_in_flight_keeps_its_queue() {
    JobIndex index;
    const std::string name = queue_name(1);
    fill(index, 1);
    remove(index, Id{0, 0});
    const auto job = [&](std::uint64_t i) {
        return allocations::count([&] {
            CHECK(index.insert(Id{i, i}, name, 0, 0, 1, nullptr));
            remove(index, Id{i, i});
        });
    };
    CHECK(job(1) > 1);
    for (std::uint64_t i = 2; i < 100; ++i) {
        CHECK(job(i) == 1);
    }
}

void test_that_priorities_used_once_cost_nothing() {
    JobIndex index;
    const std::string name = queue_name(0);
    fill(index, 1);
    const std::size_t live = allocations::live;
    for (std::int16_t priority = 1; priority < 1000; ++priority) {
        CHECK(index.insert(Id{1, 1}, name, priority, 0, 1, nullptr));
        CHECK(index.rekey(Id{1, 1}, static_cast<std::int16_t>(-priority), 0));
        remove(index, Id{1, 1});
        CHECK(allocations::live == live);
    }
    // Nor does the last priority of a queue that ran empty.
    remove(index, Id{0, 0});
    for (std::int16_t priority = 1; priority < 1000; ++priority) {
        CHECK(index.insert(Id{1, 1}, name, priority, 0, 1, nullptr));
        CHECK(allocations::live == live);
        remove(index, Id{1, 1});
    }
}

}  // namespace

int main() {
    const std::size_t live = allocations::live;
    test_that_only_insertions_allocate();
    test_that_removals_need_no_memory();
    test_that_names_used_once_cost_nothing();
    test_that_queues_at_work_among_the_empty_ones_cost_nothing();
    test_that_a_queue_that_goes_is_forgotten();
    test_that_one_job_in_flight_keeps_its_queue();
    test_that_priorities_used_once_cost_nothing();
    CHECK(allocations::live == live);
}
