#pragma once

// Plays operations on an index and on its model, and holds every result and the whole state of the one against the
// other, after each step. A source of choices decides what is played: random numbers in test_model.cpp, the bytes of a
// fuzzer in fuzz_index.cpp. Few ids, times that collide, clocks that jump: what is rare in use is common here.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "check.hpp"
#include "jobcore/job_index.hpp"
#include "model.hpp"

namespace jobcore::testing {

enum class Move {
    insert,
    pop,
    undo,
    beat,
    remove,
    release,
    put_back,
    rekey,
    forward,
    back,
    until,
    certain,
    look,
    drain
};

constexpr std::size_t moves = static_cast<std::size_t>(Move::drain) + 1;

/// What a game draws from. More than 16 queues make some of them leave the warm ring.
struct Rules {
    std::uint64_t ids = 40;
    std::uint64_t queues = 20;
    std::array<std::uint64_t, moves> weights{8, 8, 2, 2, 4, 2, 2, 2, 4, 1, 2, 2, 1, 1};
    bool extremes = false;  ///< the least and the largest of everything, too
};

/// `Choices::below(n)` chooses one of n.
template <typename Choices>
class Game {
public:
    Game(Choices& choices, const Rules& rules) : choices_(choices), rules_(rules) {
        for (std::uint64_t i = 0; i < rules.queues; ++i) {
            names_.push_back("queue " + std::to_string(i));
        }
    }

    /// Pushes the first so many ids, one queue after the other: choices alone take too long to get there.
    void fill(std::uint64_t jobs) {
        for (std::uint64_t i = 0; i < jobs; ++i) {
            insert(nth_id(i), i % rules_.queues, 0, 0, 1);
        }
        compare();
    }

    /// Removes the first so many ids, whoever holds them.
    void empty(std::uint64_t jobs) {
        for (std::uint64_t i = 0; i < jobs; ++i) {
            void* handle = nullptr;
            void* expected = nullptr;
            CHECK(index_.remove(nth_id(i), Fence{}, handle) == model_.remove(nth_id(i), Fence{}, expected));
            CHECK(handle == expected);
        }
        compare();
    }

    void step() {
        play(choose());
        compare();
    }

private:
    Move choose() {
        std::uint64_t total = 0;
        for (const std::uint64_t weight : rules_.weights) {
            total += weight;
        }
        std::uint64_t choice = choices_.below(total);
        std::size_t move = 0;
        while (choice >= rules_.weights[move]) {
            choice -= rules_.weights[move++];
        }
        return static_cast<Move>(move);
    }

    void play(Move move) {
        switch (move) {
            case Move::insert:
                return insert();
            case Move::pop:
                return static_cast<void>(pop(some_queue()));
            case Move::undo:
                return undo();
            case Move::forward:
                monotonic_ = after(monotonic_, some_time());
                wall_ = after(wall_, some_time());
                return;
            case Move::back:
                wall_ = choices_.below(2) == 0 ? std::max<Time>(wall_, 100) - some_time() / 2 : due();
                if (rules_.extremes && choices_.below(4) == 0) {
                    monotonic_ = due();  // no clock does that, but a caller may
                }
                return;
            case Move::until: {
                const std::uint64_t queue = some_queue();
                CHECK(index_.until_next(names_[queue], wall_, monotonic_) ==
                      model_.until_next(queue, wall_, monotonic_));
                return;
            }
            case Move::certain:
                return certain(some_queue());
            case Move::look:
                return look(some_queue());
            case Move::drain: {
                const std::uint64_t queue = some_queue();
                while (pop(queue)) {
                }
                return;
            }
            default:
                act(move);
        }
    }

    void insert() {
        const Id id_chosen = id();
        const std::uint64_t queue = some_queue();
        const std::int16_t at = priority();
        const Time then = due();
        const Time lease = rules_.extremes && choices_.below(8) == 0 ? latest >> 1 : some_time();
        insert(id_chosen, queue, at, then, lease);
    }

    void insert(const Id& id, std::uint64_t queue, std::int16_t priority, Time due, Time lease) {
        void* handle = new_handle();
        CHECK(index_.insert(id, names_[queue], priority, due, lease, handle) ==
              model_.insert(id, queue, priority, due, lease, handle));
    }

    bool pop(std::uint64_t queue) {
        const Id runner{choices_.below(3), 0};
        Popped popped;
        Taken taken;
        const bool found = index_.pop(names_[queue], runner, wall_, monotonic_, popped);
        CHECK(found == model_.pop(queue, runner, wall_, monotonic_, taken));
        if (found) {
            CHECK(same(popped, taken.popped));
            CHECK(popped.was_held == taken.popped.was_held);
            CHECK(!popped.was_held || popped.holder_before == taken.popped.holder_before);
            taken.popped = popped;
            taken_.push_back(taken);
        }
        return found;
    }

    // Each pop at most once, whatever became of it meanwhile.
    void undo() {
        if (taken_.empty()) {
            return;
        }
        const std::uint64_t back = choices_.below(2) == 0 ? 0 : choices_.below(taken_.size());
        const auto chosen = taken_.end() - 1 - static_cast<std::ptrdiff_t>(back);
        index_.undo_pop(chosen->popped);
        model_.undo_pop(*chosen);
        taken_.erase(chosen);
    }

    void act(Move move) {
        const Id chosen = id();
        const Fence who = fence(chosen);
        CHECK(index_.judge(chosen, who) == model_.judge(chosen, who));
        void* handle = new_handle();
        void* expected = handle;
        if (move == Move::beat) {
            CHECK(index_.heartbeat(chosen, who, monotonic_) == model_.heartbeat(chosen, who, monotonic_));
        } else if (move == Move::remove) {
            CHECK(index_.remove(chosen, who, handle) == model_.remove(chosen, who, expected));
        } else if (move == Move::release) {
            CHECK(index_.release(chosen, who) == model_.release(chosen, who));
        } else if (move == Move::put_back) {
            const Time then = due();
            CHECK(index_.put_back(chosen, who, then, handle) == model_.put_back(chosen, who, then, expected));
        } else {
            const std::int16_t at = priority();
            const Time then = due();
            CHECK(index_.rekey(chosen, at, then) == model_.rekey(chosen, at, then));
        }
        CHECK(handle == expected);
    }

    // Sound, not complete: it may deny what holds.
    void certain(std::uint64_t queue) {
        if (!index_.certain(names_[queue], wall_)) {
            return;
        }
        const Record* now = model_.candidate(queue, wall_, monotonic_);
        const Record* ever = model_.candidate(queue, latest, monotonic_);
        CHECK(now != nullptr);
        // What was due once counts as due, also where the wall clock went back behind it since.
        CHECK(now == ever || ever->leased);
    }

    void look(std::uint64_t queue) {
        const std::size_t limit = choices_.below(8);
        const Time wall = choices_.below(2) == 0 ? latest : wall_;
        const std::vector<Record> expected = model_.waiting(queue, wall);
        const std::vector<Popped> found = index_.waiting(names_[queue], limit, wall);
        CHECK(found.size() == std::min(limit, expected.size()));
        CHECK(std::equal(found.begin(), found.end(), expected.begin(), same));
    }

    // ---- the whole state

    void compare() {
        CHECK(index_.consistent());
        CHECK(index_.size() == model_.records.size());
        CHECK(index_.running() == running(nullptr));
        compare_counters();
        for (std::uint64_t i = 0; i < rules_.ids; ++i) {
            compare_job(nth_id(i));
        }
        std::vector<QueueGauge> gauges = index_.queues();
        for (std::uint64_t i = 0; i < rules_.queues; ++i) {
            compare_queue(i, gauges);
        }
        CHECK(gauges.empty());
        std::vector<void*> handles;
        index_.visit_handles([&](void* handle) { handles.push_back(handle); });
        std::sort(handles.begin(), handles.end());
        std::vector<void*> expected;
        for (const Record& record : model_.records) {
            expected.push_back(record.handle);
        }
        std::sort(expected.begin(), expected.end());
        CHECK(handles == expected);
    }

    void compare_counters() {
        const auto all = [](const Counters& c) {
            return std::tuple(c.pushed, c.popped, c.reclaimed, c.lost_leases, c.missing, c.completed, c.failed, c.dead,
                              c.returned);
        };
        CHECK(all(index_.counters) == all(model_.counters));
    }

    void compare_job(const Id& which) {
        const Job* job = index_.find(which);
        const Record* record = model_.find(which);
        CHECK((job == nullptr) == (record == nullptr));
        if (job == nullptr) {
            return;
        }
        CHECK(same(*job, *record));
        CHECK(*job->bucket->queue->name == names_[record->queue] && job->bucket->priority == record->priority);
        CHECK(job->held == record->held && (!job->held || job->runner == record->runner));
        CHECK(job->leased == record->leased && (!job->leased || job->place->first.time == record->expiry));
        CHECK(static_cast<Time>(job->lease) == record->lease);
    }

    void compare_queue(std::uint64_t queue, std::vector<QueueGauge>& gauges) {
        const std::string& name = names_[queue];
        const auto in_queue = [&](const auto& one) { return one.queue == queue; };
        const auto jobs = std::count_if(model_.records.begin(), model_.records.end(), in_queue);
        const auto gauge = std::find_if(gauges.begin(), gauges.end(), [&](const auto& g) { return g.name == name; });
        CHECK((gauge == gauges.end()) == (jobs == 0));
        if (jobs != 0) {
            CHECK(gauge->jobs == static_cast<std::size_t>(jobs) && gauge->running == running(&queue));
            gauges.erase(gauge);
        }
        const std::vector<Record> expected = model_.waiting(queue, latest);
        const std::vector<Popped> found = index_.waiting(name, std::numeric_limits<std::size_t>::max(), latest);
        CHECK(std::equal(found.begin(), found.end(), expected.begin(), expected.end(), same));
        const Time* next = index_.next_due(name);
        CHECK((next == nullptr) == expected.empty());
        for (const Record& record : expected) {
            CHECK(*next <= record.due);
        }
        CHECK(next == nullptr ||
              std::any_of(expected.begin(), expected.end(), [&](const Record& r) { return r.due == *next; }));
    }

    [[nodiscard]] std::size_t running(const std::uint64_t* queue) const {
        const auto counts = [&](const Record& r) { return r.held && (queue == nullptr || r.queue == *queue); };
        return static_cast<std::size_t>(std::count_if(model_.records.begin(), model_.records.end(), counts));
    }

    static constexpr auto same = [](const auto& left, const auto& right) {
        return left.id == right.id && left.handle == right.handle && left.due == right.due &&
               left.delivery_count == right.delivery_count && left.lost_count == right.lost_count;
    };

    // ---- what it draws

    [[nodiscard]] static Id nth_id(std::uint64_t i) { return {i, i % 3}; }
    Id id() { return nth_id(choices_.below(rules_.ids)); }
    std::uint64_t some_queue() { return choices_.below(rules_.queues); }
    void* new_handle() { return reinterpret_cast<void*>(++handles_); }
    Time some_time() { return std::array<Time, 8>{0, 1, 1, 2, 3, 5, 20, 90}[choices_.below(8)]; }

    std::int16_t priority() { return std::array<std::int16_t, 8>{0, 0, 0, 1, -1, 7, -32768, 32767}[choices_.below(8)]; }

    Time due() {
        const std::uint64_t choice = choices_.below(rules_.extremes ? 12 : 8);
        if (choice >= 8) {
            return std::array<Time, 4>{-latest - 1, -1, 0, latest}[choice - 8];
        }
        return wall_ > 1000 || wall_ < 0 ? static_cast<Time>(choice)
                                         : wall_ + std::array<Time, 8>{-9, -1, 0, 0, 1, 2, 9, 40}[choice];
    }

    // Half of the time the one that holds it.
    Fence fence(const Id& which) {
        const Record* record = model_.find(which);
        const std::uint64_t choice = choices_.below(8);
        if (choice == 0) {
            return {};
        }
        if (choice < 5 && record != nullptr) {
            return {true, record->runner, choice < 3 ? record->delivery_count : Fence::any_delivery};
        }
        const auto delivery = static_cast<std::int64_t>(choices_.below(4)) - 1;
        return {true, Id{choices_.below(3), 0}, delivery};
    }

    Choices& choices_;
    Rules rules_;
    std::vector<std::string> names_;
    JobIndex index_;
    Model model_;
    std::vector<Taken> taken_;
    Time wall_ = 100;
    Time monotonic_ = 100;
    std::uintptr_t handles_ = 0;
};

}  // namespace jobcore::testing
