// The table of ids: what it finds under any order of insertions and removals, how it grows and shrinks, and that its
// chains stay short for the ids that are in use: random ones, sequences, halves that are all the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "jobcore/id_table.hpp"

namespace {

namespace allocations = jobcore::testing::allocations;

using jobcore::Id;
using jobcore::IdTable;
using jobcore::Job;

void add(IdTable& table, Job& job) {
    table.reserve_one();
    CHECK(allocations::count([&] { table.insert(job); }) == 0);
}

std::deque<Job> make_jobs(std::size_t count, Id (*nth)(std::uint64_t)) {
    std::deque<Job> jobs;
    for (std::uint64_t i = 0; i < count; ++i) {
        jobs.emplace_back(nth(i), nullptr, 0, 0, nullptr);
    }
    return jobs;
}

void test_against_a_model() {
    std::deque<Job> jobs = make_jobs(700, [](std::uint64_t i) { return Id{i % 40, i / 40}; });
    std::vector<char> present(jobs.size());
    std::mt19937_64 numbers{1};
    IdTable table;
    std::size_t size = 0;
    for (int step = 0; step < 20000; ++step) {
        // By turns it fills and empties.
        const std::size_t i = numbers() % jobs.size();
        const bool fills = step / 2500 % 2 == 0;
        if (present[i] == 0 && (fills || numbers() % 16 == 0)) {
            add(table, jobs[i]);
            present[i] = 1;
            ++size;
        } else if (present[i] == 1 && !(fills && numbers() % 16 != 0)) {
            table.erase(jobs[i]);
            present[i] = 0;
            --size;
        }
        CHECK(table.size() == size);
        for (std::size_t j = step % 50 == 0 ? 0 : i; j < (step % 50 == 0 ? jobs.size() : i + 1); ++j) {
            CHECK(table.find(jobs[j].id) == (present[j] == 1 ? &jobs[j] : nullptr));
        }
        CHECK(table.find(Id{i, 1000}) == nullptr);
    }
}

void test_growing_and_shrinking() {
    constexpr std::size_t count = 100000;
    std::deque<Job> jobs = make_jobs(count, [](std::uint64_t i) { return Id{i, ~i}; });
    const std::size_t before = allocations::bytes;
    IdTable table;
    const std::size_t empty = allocations::bytes - before;
    std::size_t resized = allocations::made;
    for (Job& job : jobs) {
        add(table, job);
        CHECK(allocations::bytes - before <= std::max(empty, 2 * table.size() * sizeof(Job*)));
    }
    CHECK(allocations::made - resized < 20);
    resized = allocations::made;
    for (Job& job : jobs) {
        table.erase(job);
        CHECK(allocations::bytes - before <= std::max(empty, (8 * table.size() + 8) * sizeof(Job*)));
        CHECK(allocations::bytes - before >= table.size() * sizeof(Job*));
        CHECK(table.find(job.id) == nullptr &&
              table.find(jobs.back().id) == (&job == &jobs.back() ? nullptr : &jobs.back()));
    }
    CHECK(table.size() == 0 && allocations::made - resized < 20);
    CHECK(allocations::bytes - before == empty);
    for (Job& job : jobs) {
        add(table, job);
    }
    CHECK(table.size() == count && table.find(jobs[count / 2].id) == &jobs[count / 2]);
}

void test_no_resizing_to_and_fro() {
    // Around any size, one in and one out does not resize each time.
    std::deque<Job> jobs = make_jobs(5000, [](std::uint64_t i) { return Id{i, i}; });
    IdTable table;
    const auto to_and_fro = [&table](Job& job) {
        return allocations::count([&] {
            for (int i = 0; i < 20; ++i) {
                add(table, job);
                table.erase(job);
            }
        });
    };
    for (Job& job : jobs) {
        CHECK(to_and_fro(job) <= 1);
        add(table, job);
    }
    for (Job& job : jobs) {
        table.erase(job);
        CHECK(to_and_fro(job) <= 1);
    }
}

void test_chains_stay_short() {
    // A random hash at 1 job per slot makes chains of 8 or so, and 1.5 looks for the average find.
    Id (*const kinds[])(std::uint64_t) = {
        [](std::uint64_t i) { return Id{i, 0}; },
        [](std::uint64_t i) { return Id{0, i}; },
        [](std::uint64_t i) { return Id{i, i}; },
        [](std::uint64_t i) { return Id{i << 32, 0}; },
        [](std::uint64_t i) { return Id{0, i << 32}; },
        [](std::uint64_t i) { return Id{0, i << 44}; },
        // version 1, ten a microsecond: the clock's low 32 bits in front, node and sequence constant
        [](std::uint64_t i) { return Id{i << 32 | 0x1BCD11EF, 0x8123456789ABCDEF}; },
        // version 6: the same with the clock in order
        [](std::uint64_t i) { return Id{0x1EC9414C232A6000 + (i >> 12 << 16) + (i & 0xFFF), 0xB3C89F6BDECED846}; },
        // version 7, one a millisecond and a random tail
        [](std::uint64_t i) {
            return Id{(0x17F22E279B0 + i) << 16 | 0x7CC3, 0x98C4DC0C0C07398F ^ i * 0xD1342543DE82EF95};
        },
        // version 7 by a counter
        [](std::uint64_t i) { return Id{0x017F22E279B07000 + (i & 0xFFF), 0x8000000000000000 + (i >> 12)}; },
        [](std::uint64_t i) {
            std::mt19937_64 numbers{i};
            return Id{numbers(), numbers()};
        },
    };
    for (const auto kind : kinds) {
        ++jobcore::testing::progress.step;
        std::deque<Job> jobs = make_jobs(65536, kind);
        IdTable table;
        for (Job& job : jobs) {
            add(table, job);
        }
        std::size_t total = 0;
        std::size_t longest = 0;
        for (const Job& job : jobs) {
            std::size_t rest = 0;  // of its chain, itself included
            for (const Job* next = &job; next != nullptr; next = next->chained) {
                ++rest;
            }
            total += rest;
            longest = std::max(longest, rest);
        }
        CHECK(longest <= 16);
        CHECK(2 * total <= 5 * jobs.size());
    }
}

}  // namespace

int main() {
    test_against_a_model();
    test_growing_and_shrinking();
    test_no_resizing_to_and_fro();
    test_chains_stay_short();
}
