// What the operations cost, by counting and not by the clock. CMake compiles this file with -finstrument-functions:
// each entry into a function, every comparison of keys and every step through a list among them, calls the hook below.
// The index is included rather than linked, so that it is compiled that way, too. The numbers are those of one index
// and of one 64 times as large: constant costs stay the same, logarithmic ones rise by little, linear ones would rise
// 64-fold. With GCC only: Clang 14 cannot link what it makes of that flag without optimisation.

#if defined(__GNUC__) && !defined(__clang__)

#include <cstdint>
#include <string>

#include "../job_index.cpp"
#include "check.hpp"

namespace {

std::uint64_t calls = 0;

}  // namespace

extern "C" {
__attribute__((no_instrument_function)) void __cyg_profile_func_enter(void*, void*);
__attribute__((no_instrument_function)) void __cyg_profile_func_exit(void*, void*);
void __cyg_profile_func_enter(void*, void*) {
    ++calls;
}
void __cyg_profile_func_exit(void*, void*) {}
}

namespace {

using namespace jobcore;

constexpr std::uint64_t small = 1100;  // not where a table grows
constexpr std::uint64_t large = 64 * small;
constexpr std::uint64_t samples = 400;
const Id runner{7, 7};

/// The mean cost of `operation(i)`.
template <typename Operation>
double cost(Operation operation) {
    const std::uint64_t before = calls;
    for (std::uint64_t i = 0; i < samples; ++i) {
        operation(i);
    }
    const double mean = static_cast<double>(calls - before) / static_cast<double>(samples);
    CHECK(mean > 1);
    return mean;
}

template <typename Measure>
void check_constant(Measure measure) {
    const double low = measure(small);
    CHECK(measure(large) < low * 1.05 + 1);
}

template <typename Measure>
void check_logarithmic(Measure measure) {
    const double low = measure(small);
    CHECK(measure(large) < low * 1.5);
}

/// Ids as they are in use: random ones.
Id nth_id(std::uint64_t i) {
    std::uint64_t mixed = (i + 1) * 0x9E3779B97F4A7C15;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
    return {mixed ^ mixed >> 31, mixed * 3};
}

/// An index with `jobs` jobs that are due by turns from 0 on, `running` of them leased; times go on at `jobs`.
struct Filled {
    Filled(std::uint64_t jobs, std::uint64_t running) {
        for (std::uint64_t i = 0; i < jobs; ++i) {
            index.insert(nth_id(i), "queue", 0, static_cast<Time>(i), 1 << 20, nullptr);
        }
        for (std::uint64_t i = 0; i < running; ++i) {
            CHECK(pop(static_cast<Time>(i)));
        }
    }

    bool pop(Time monotonic) { return index.pop("queue", runner, 1 << 30, monotonic, popped); }

    JobIndex index;
    Popped popped;
    void* handle = nullptr;
};

void test_insert() {
    check_constant([](std::uint64_t n) {  // at the end of its order
        Filled filled(n, n / 2);
        return cost([&](std::uint64_t i) {
            CHECK(filled.index.insert(nth_id(n + i), "queue", 0, static_cast<Time>(n + i), 1, nullptr));
        });
    });
    check_logarithmic([](std::uint64_t n) {  // anywhere
        Filled filled(n, 0);
        return cost([&](std::uint64_t i) {
            const auto due = static_cast<Time>(i * (n / samples));
            CHECK(filled.index.insert(nth_id(n + i), "queue", 0, due, 1, nullptr));
        });
    });
}

// Whatever number of others waits, or runs.
void test_work() {
    for (const std::uint64_t part : {2U, 8U, 1000000U}) {
        check_constant([part](std::uint64_t n) {
            Filled filled(n, n / part);
            return cost([&](std::uint64_t i) { CHECK(filled.pop(static_cast<Time>(n + i))); });
        });
        check_constant([part](std::uint64_t n) {
            Filled filled(n, n / part);
            return cost([&](std::uint64_t i) {
                CHECK(filled.pop(static_cast<Time>(n + i)));
                const Fence fence{true, runner, filled.popped.delivery_count};
                CHECK(filled.index.heartbeat(filled.popped.id, fence, static_cast<Time>(n + i)) == Verdict::done);
                CHECK(filled.index.remove(filled.popped.id, fence, filled.handle) == Verdict::done);
            });
        });
        check_constant([part](std::uint64_t n) {
            Filled filled(n, n / part);
            return cost([&](std::uint64_t i) {
                CHECK(filled.pop(static_cast<Time>(n + i)));
                const auto due = static_cast<Time>(n + i);
                CHECK(filled.index.put_back(filled.popped.id, Fence{}, due, filled.handle) == Verdict::done);
            });
        });
        check_logarithmic([part](std::uint64_t n) {
            Filled filled(n, n / part);
            return cost([&](std::uint64_t i) {
                CHECK(filled.pop(static_cast<Time>(n + i)));
                filled.index.undo_pop(filled.popped);
                CHECK(filled.pop(static_cast<Time>(n + i)));
                CHECK(filled.index.release(filled.popped.id, Fence{}) == Verdict::done);
            });
        });
        check_logarithmic([part](std::uint64_t n) {
            Filled filled(n, n / part);
            return cost([&](std::uint64_t i) {
                CHECK(filled.index.rekey(nth_id(n - 1 - i % (n / 4)), static_cast<std::int16_t>(i % 3), 5));
            });
        });
    }
}

// Heartbeats of many jobs, in any order, of leases of any length.
void test_heartbeats() {
    check_constant([](std::uint64_t n) {
        Filled filled(n, n);
        return cost([&](std::uint64_t i) {
            CHECK(filled.index.heartbeat(nth_id(i * (n / samples)), Fence{}, static_cast<Time>(n + i)) ==
                  Verdict::done);
        });
    });
}

void test_looks() {
    check_constant([](std::uint64_t n) {  // at what is due
        Filled filled(n, n / 2);
        return cost([&](std::uint64_t) {
            CHECK(filled.index.until_next("queue", 1 << 30, 0) == 0);
            CHECK(filled.index.certain("queue", 1 << 30));
        });
    });
    check_constant([](std::uint64_t n) {  // at what is not, among jobs that run
        Filled filled(n, n / 2);
        return cost([&](std::uint64_t) { CHECK(filled.index.until_next("queue", -10, 0) > 0); });
    });
}

// Future jobs of higher priorities, in many buckets: they are sorted out once, and looked at no more.
void test_future_jobs_in_front() {
    const auto fill = [](JobIndex& index, std::uint64_t priorities) {
        for (std::uint64_t i = 0; i < priorities; ++i) {
            const auto priority = static_cast<std::int16_t>(1 + i % 30000);
            CHECK(index.insert(nth_id(i), "queue", priority, static_cast<Time>(1000 + i), 1, nullptr));
        }
    };
    check_logarithmic([&](std::uint64_t n) {
        JobIndex index;
        fill(index, n / 4);
        Popped popped;
        void* handle = nullptr;
        CHECK(!index.pop("queue", runner, 0, 0, popped));
        return cost([&](std::uint64_t i) {
            CHECK(index.insert(nth_id(n + i), "queue", 0, 0, 1, nullptr));
            CHECK(index.until_next("queue", 0, 0) == 0);
            CHECK(index.pop("queue", runner, 0, 0, popped));
            CHECK(index.until_next("queue", 0, 0) > 0);
            CHECK(index.remove(popped.id, Fence{}, handle) == Verdict::done);
        });
    });
    // The whole of it, and the jobs coming due one after the other.
    check_logarithmic([&](std::uint64_t n) {
        const std::uint64_t before = calls;
        JobIndex index;
        fill(index, n / 4);
        Popped popped;
        for (std::uint64_t i = 0; i < n / 4; ++i) {
            CHECK(index.pop("queue", runner, static_cast<Time>(1000 + i), 0, popped) && popped.id == nth_id(i));
        }
        return static_cast<double>(calls - before) / static_cast<double>(n);
    });
}

// All leases run out at once: each job moves once, at the first look, and the next look finds nothing to do.
void test_lapses() {
    check_logarithmic([](std::uint64_t n) {
        Filled filled(n, n);
        const std::uint64_t before = calls;
        CHECK(filled.index.until_next("queue", 1 << 30, 1 << 30) == 0);
        return static_cast<double>(calls - before) / static_cast<double>(n);
    });
    check_constant([](std::uint64_t n) {
        Filled filled(n, n);
        CHECK(filled.index.until_next("queue", 1 << 30, 1 << 30) == 0);
        return cost([&](std::uint64_t) { CHECK(filled.index.until_next("queue", 1 << 30, 1 << 30) == 0); });
    });
}

// Many queues, one of them at work.
void test_other_queues() {
    check_constant([](std::uint64_t n) {
        JobIndex index;
        for (std::uint64_t i = 0; i < n; ++i) {
            CHECK(index.insert(nth_id(i), "queue " + std::to_string(i), 0, 0, 1, nullptr));
        }
        Popped popped;
        void* handle = nullptr;
        return cost([&](std::uint64_t i) {
            CHECK(index.insert(nth_id(n + i), "queue", 0, 0, 1, nullptr));
            CHECK(index.pop("queue", runner, 0, 0, popped));
            CHECK(index.remove(popped.id, Fence{}, handle) == Verdict::done);
        });
    });
}

}  // namespace

int main() {
    test_insert();
    test_work();
    test_heartbeats();
    test_looks();
    test_future_jobs_in_front();
    test_lapses();
    test_other_queues();
}

#else
int main() {}
#endif
