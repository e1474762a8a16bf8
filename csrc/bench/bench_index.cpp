// The floor under the Python benchmarks: the same operations on the index alone, beside the same numbers of waiting and
// running jobs. Prints JSON, in nanoseconds for one operation: the median of the rounds and their quartiles.
//
// A round is timed in units of `ops` calls. Between two units the index is brought back to its size; jobs enter at the
// end and leave at the front, so a pop meets jobs that nobody has touched since they were pushed, as it does in use.
//
//     bench_index 100 10000 1000000      waiting jobs; beside each, 0, a thousand and a hundred thousand running ones

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "jobcore/job_index.hpp"

namespace {

using namespace jobcore;

constexpr std::size_t ops = 50;
constexpr std::size_t rounds = 300;
constexpr Time lease = Time{1} << 50;
constexpr Time now = Time{1} << 40;
const Id runner{7, 7};

const char* separator = "";  // before the next result

Id nth_id(std::uint64_t i) {
    return {i, i * 0x9E3779B97F4A7C15};
}

void require(bool condition) {
    if (!condition) {
        std::fputs("bench_index: an operation did not do what it is timed for\n", stderr);
        std::exit(1);
    }
}

/// An index with so many waiting jobs, all due, and so many running ones.
class Load {
public:
    Load(std::size_t waiting, std::size_t running) : waiting_(waiting), running_(running) {
        for (std::size_t i = 0; i < running; ++i) {
            push();
        }
        for (std::size_t i = 0; i < running; ++i) {
            held_.push_back(pop());
        }
        settle({});
    }

    void push(std::int16_t priority = 0) {
        const std::uint64_t n = next_++;
        require(index_.insert(nth_id(n), "default", priority, static_cast<Time>(n), lease, nullptr));
    }

    Popped pop() {
        Popped popped;
        require(index_.pop("default", runner, now, 0, popped));
        return popped;
    }

    void heartbeat(const Popped& popped) { require(index_.heartbeat(popped.id, fence(popped), 0) == Verdict::done); }

    void remove(const Popped& popped) {
        void* handle = nullptr;
        require(index_.remove(popped.id, fence(popped), handle) == Verdict::done);
    }

    /// Back to its size, after `taken` was popped.
    void settle(const std::vector<Popped>& taken) {
        for (const Popped& popped : taken) {
            remove(popped);
        }
        while (index_.size() < waiting_ + running_) {
            push();
        }
        while (index_.size() > waiting_ + running_) {
            remove(pop());
        }
    }

    /// `ops` running jobs, spread over all; where none run, some are popped, which `taken` says.
    std::vector<Popped> some_held(std::vector<Popped>& taken) {
        std::vector<Popped> some;
        for (std::size_t i = 0; i < ops; ++i) {
            if (held_.empty()) {
                some.push_back(pop());
            } else {
                stride_ += 7919;
                some.push_back(held_[stride_ % held_.size()]);
            }
        }
        if (held_.empty()) {
            taken = some;
        }
        return some;
    }

private:
    static Fence fence(const Popped& popped) { return {true, runner, popped.delivery_count}; }

    JobIndex index_;
    std::size_t waiting_;
    std::size_t running_;
    std::uint64_t next_ = 1;
    std::vector<Popped> held_;
    std::size_t stride_ = 0;
};

/// Times `unit(i)` for each of `ops` calls, in rounds, with `prepare()` before each of them.
template <typename Prepare, typename Unit>
void measure(const char* operation, std::size_t waiting, std::size_t running, Prepare prepare, Unit unit) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> times;
    for (std::size_t round = 0; round < rounds; ++round) {
        prepare();
        const auto start = Clock::now();
        for (std::size_t i = 0; i < ops; ++i) {
            unit(i);
        }
        const std::chrono::duration<double, std::nano> took = Clock::now() - start;
        times.push_back(took.count() / static_cast<double>(ops));
    }
    std::sort(times.begin(), times.end());
    std::printf("%s\n  {\"group\": \"%s\", \"waiting\": %zu, \"running\": %zu, ", separator, operation, waiting,
                running);
    std::printf("\"q1\": %.1f, \"median\": %.1f, \"q3\": %.1f}", times[rounds / 4], times[rounds / 2],
                times[rounds * 3 / 4]);
    separator = ",";
}

void measure_all(std::size_t waiting, std::size_t running) {
    Load load(waiting, running);
    std::vector<Popped> taken;
    std::vector<Popped> held;
    const auto settle = [&] {
        load.settle(taken);
        taken.clear();
    };

    measure("push", waiting, running, settle, [&](std::size_t) { load.push(); });
    if (waiting >= ops) {
        measure("pop", waiting, running, settle, [&](std::size_t) { taken.push_back(load.pop()); });
        const auto hold = [&] {
            settle();
            held = load.some_held(taken);
        };
        measure("heartbeat", waiting, running, hold, [&](std::size_t i) { load.heartbeat(held[i]); });
        const auto take = [&] {
            settle();
            held.clear();
            for (std::size_t i = 0; i < ops; ++i) {
                held.push_back(load.pop());
            }
        };
        measure("complete", waiting, running, take, [&](std::size_t i) { load.remove(held[i]); });
    }
    measure("one in flight", waiting, running, settle, [&](std::size_t) {
        load.push(1);
        load.remove(load.pop());
    });
}

}  // namespace

int main(int count, char** sizes) {
    std::printf("[");
    for (int i = 1; i < count; ++i) {
        const std::size_t waiting = std::strtoull(sizes[i], nullptr, 10);
        for (const std::size_t running : {0, 1'000, 100'000}) {
            measure_all(waiting, running);
        }
    }
    std::printf("\n]\n");
}
