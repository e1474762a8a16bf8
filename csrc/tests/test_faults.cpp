// Memory runs out at every single allocation of every operation that makes any: the index is as it was, no memory is
// lost, and the same operation succeeds afterwards.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
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
using jobcore::QueueGauge;
using jobcore::Time;

constexpr std::uint64_t last_id = 130;

std::string queue_name(std::uint64_t i) {
    return "a queue whose name is too long for a small string, number " + std::to_string(i);
}

void insert(JobIndex& index, std::uint64_t id, std::uint64_t queue, std::int16_t priority = 0, Time due = 10) {
    CHECK(index.insert(Id{id, 0}, queue_name(queue), priority, due, 100, &index));
}

void make_and_empty(JobIndex& index, std::uint64_t queue) {
    insert(index, last_id, queue);
    void* handle = nullptr;
    CHECK(index.remove(Id{last_id, 0}, Fence{}, handle) == jobcore::Verdict::done);
}

/// All that can be seen of an index.
std::string dump(const JobIndex& index) {
    std::string text;
    const auto say = [&text](auto... values) { ((text += std::to_string(values) + ' '), ...); };
    say(index.size(), index.running(), index.counters.pushed, index.counters.popped, index.counters.lost_leases);
    for (std::uint64_t i = 0; i <= last_id; ++i) {
        if (const auto* job = index.find(Id{i, 0})) {
            say(i, job->runner.high, job->due, job->delivery_count, job->lost_count, job->lease, job->held,
                job->leased);
            say(job->bucket->priority, job->place->first.time, job->place->first.sequence);
            text += *job->bucket->queue->name + '\n';
        }
    }
    std::vector<QueueGauge> gauges = index.queues();
    std::sort(gauges.begin(), gauges.end(), [](const auto& left, const auto& right) { return left.name < right.name; });
    for (const QueueGauge& gauge : gauges) {
        text += gauge.name;
        say(gauge.jobs, gauge.running);
        for (const Popped& job : index.waiting(gauge.name, allocations::never, std::numeric_limits<Time>::max())) {
            say(job.id.high);
        }
        say(*index.next_due(gauge.name));
    }
    return text;
}

/// Fails `operation` at each of its allocations, on an index of its own each time; returns how many it makes.
template <typename Prepare, typename Operation>
std::size_t try_every_failure(Prepare prepare, Operation operation) {
    const std::size_t live = allocations::live;
    bool failed = true;
    std::size_t n = 0;
    for (; failed; ++n) {
        JobIndex index;
        prepare(index);
        const std::string before = dump(index);
        failed = false;
        try {
            const allocations::Failing failing(n);
            operation(index);
        } catch (const std::bad_alloc&) {
            failed = true;
        }
        CHECK(index.consistent());
        if (failed) {
            CHECK(dump(index) == before);
            operation(index);
            CHECK(index.consistent());
        }
    }
    CHECK(allocations::live == live);
    return n - 1;
}

/// As above, with the arguments made beforehand: they allocate, too.
template <typename Prepare>
std::size_t try_insert(Prepare prepare, std::uint64_t queue, std::int16_t priority) {
    const std::string name = queue_name(queue);
    return try_every_failure(prepare, [&](JobIndex& index) {
        CHECK(index.insert(Id{last_id, 1}, name, priority, 5, 100, nullptr));
        CHECK(index.find(Id{last_id, 1})->bucket->priority == priority);
    });
}

void test_construction() {
    const std::size_t live = allocations::live;
    std::size_t n = 0;
    for (bool failed = true; failed; ++n) {
        failed = false;
        try {
            const allocations::Failing failing(n);
            const JobIndex index;
        } catch (const std::bad_alloc&) {
            failed = true;
        }
        CHECK(allocations::live == live);
    }
    CHECK(n > 1);
}

void test_insert() {
    const auto nothing = [](JobIndex&) {};
    const auto one_job = [](JobIndex& index) { insert(index, 1, 1); };
    CHECK(try_insert(nothing, 1, 0) > try_insert(one_job, 1, 3));
    CHECK(try_insert(one_job, 1, 3) > try_insert(one_job, 1, 0));
    CHECK(try_insert(one_job, 1, 0) == 1);

    // An empty queue that is still there: with a bucket of this priority, with one of another.
    const auto emptied = [](JobIndex& index) { make_and_empty(index, 1); };
    CHECK(try_insert(emptied, 1, 0) == 1);
    CHECK(try_insert(emptied, 1, 3) > 1);

    // Where a table grows: of the ids, and of the queues.
    for (const std::uint64_t jobs : {63U, 64U, 65U, 128U}) {
        const auto many = [jobs](JobIndex& index) {
            for (std::uint64_t i = 0; i < jobs; ++i) {
                insert(index, i, i % 3);
            }
        };
        CHECK(try_insert(many, 1, 0) == (jobs % 64 == 0 ? 2 : 1));
        try_insert(many, 4, 0);
    }
    for (std::uint64_t queues = 1; queues < 40; ++queues) {
        try_insert(
            [queues](JobIndex& index) {
                for (std::uint64_t i = 0; i < queues; ++i) {
                    insert(index, i, i);
                }
            },
            queues, 0);
    }

    // Where a queue that could not be used takes the place of an empty one.
    for (std::uint64_t emptied_queues = 15; emptied_queues <= 18; ++emptied_queues) {
        const auto ring = [emptied_queues](JobIndex& index) {
            insert(index, 1, 50);
            for (std::uint64_t i = 0; i < emptied_queues; ++i) {
                make_and_empty(index, i);
            }
        };
        try_insert(ring, 60, 0);
        try_insert(ring, 0, 0);
        try_insert(ring, 10, 1);
        try_insert(ring, 50, 1);
    }
}

void test_insert_again_and_again() {
    JobIndex index;
    insert(index, 1, 0);
    const std::size_t live = allocations::live;
    for (std::uint64_t i = 0; i < 100; ++i) {
        const std::string name = queue_name(1 + i);
        const std::string before = dump(index);
        for (std::size_t n = 0; n < 3; ++n) {
            try {
                const allocations::Failing failing(n);
                index.insert(Id{2, 0}, name, 0, 0, 1, nullptr);
                CHECK(false);
            } catch (const std::bad_alloc&) {
                CHECK(index.consistent());
            }
        }
        CHECK(dump(index) == before);
    }
    CHECK(allocations::live < live + 16 * 5);  // the failed queues went the way of all empty ones
}

void test_rekey() {
    const auto some = [](JobIndex& index) {
        insert(index, 1, 1, 0);
        insert(index, 2, 1, 0);
        insert(index, 3, 1, 5);
    };
    const auto rekey = [&some](std::uint64_t id, std::int16_t priority) {
        return try_every_failure(some, [=](JobIndex& index) {
            CHECK(index.rekey(Id{id, 0}, priority, 7));
            CHECK(index.find(Id{id, 0})->bucket->priority == priority);
        });
    };
    CHECK(rekey(1, 0) == 0);
    CHECK(rekey(1, 5) == 0);
    CHECK(rekey(1, 9) > 0);
    CHECK(rekey(3, 9) > 0);
    CHECK(rekey(3, -9) > 0);
}

void test_lists() {
    const auto some = [](JobIndex& index) {
        for (std::uint64_t i = 0; i < 20; ++i) {
            insert(index, i, i % 5, static_cast<std::int16_t>(i % 4));
        }
    };
    const std::string name = queue_name(1);
    const auto wait = [&](JobIndex& index) {
        CHECK(index.waiting(name, 100, std::numeric_limits<Time>::max()).size() == 4);
    };
    const auto list = [](JobIndex& index) { CHECK(index.queues().size() == 5); };
    CHECK(try_every_failure(some, wait) > 0);
    CHECK(try_every_failure(some, list) > 0);
}

}  // namespace

int main() {
    const std::size_t live = allocations::live;
    test_construction();
    test_insert();
    test_insert_again_and_again();
    test_rekey();
    test_lists();
    CHECK(allocations::live == live);
}
