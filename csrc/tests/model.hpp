#pragma once

// What the index should do, said so plainly that it is right at a glance: one vector of records, linear scans. It
// differs from the index in one thing: `undo_pop` knows a pop by a serial number, and by nothing else.
//
// One detail of the index can be seen and is modelled: a lease that has run out is noticed by the next look at its
// queue (`pop`, `until_next`); until then its job is not listed among those that wait.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "jobcore/job_index.hpp"

namespace jobcore::testing {

constexpr Time latest = std::numeric_limits<Time>::max();

/// `time + length`, or the latest time there is; `length` is not negative.
inline Time after(Time time, Time length) {
    return time > 0 && length > latest - time ? latest : time + length;
}

/// `to - from` (which is not negative), or as much as can be said.
inline Time between(Time from, Time to) {
    return from < 0 && to > latest + from ? latest : to - from;
}

struct Record {
    Id id;
    std::uint64_t queue = 0;  ///< numbers are compared faster than names
    std::int16_t priority = 0;
    Time due = 0;
    Time lease = 0;
    void* handle = nullptr;
    std::uint64_t order = 0;
    bool held = false;
    Id runner{};
    std::uint64_t pop = 0;  ///< the serial number of the pop that it is held by
    bool leased = false;
    Time expiry = 0;
    std::uint32_t delivery_count = 0;
    std::uint32_t lost_count = 0;
};

/// A pop that can be undone.
struct Taken {
    Popped popped;
    std::uint64_t pop = 0;
    std::uint64_t pop_before = 0;
};

class Model {
public:
    bool insert(const Id& id, std::uint64_t queue, std::int16_t priority, Time due, Time lease, void* handle) {
        if (find(id) != nullptr) {
            return false;
        }
        records.push_back({id, queue, priority, due, lease, handle, order_++});
        ++counters.pushed;
        return true;
    }

    /// The job that a pop would take at this time.
    [[nodiscard]] const Record* candidate(std::uint64_t queue, Time wall, Time monotonic) const {
        const Record* first = nullptr;
        for (const Record& record : records) {
            const bool free = !record.leased || record.expiry < monotonic;
            if (record.queue == queue && free && record.due <= wall && (first == nullptr || before(record, *first))) {
                first = &record;
            }
        }
        return first;
    }

    bool pop(std::uint64_t queue, const Id& runner, Time wall, Time monotonic, Taken& taken) {
        notice_lapses(queue, monotonic);
        const Record* found = candidate(queue, wall, monotonic);
        if (found == nullptr) {
            return false;
        }
        Record& record = *known(found->id);
        taken.popped.was_held = record.held;
        taken.popped.holder_before = record.runner;
        taken.pop_before = record.pop;
        record.lost_count += record.held;
        counters.reclaimed += record.held;
        ++record.delivery_count;
        ++counters.popped;
        record.held = record.leased = true;
        record.runner = runner;
        record.expiry = after(monotonic, record.lease);
        record.pop = taken.pop = ++pops_;
        taken.popped.id = record.id;
        taken.popped.handle = record.handle;
        taken.popped.due = record.due;
        taken.popped.delivery_count = record.delivery_count;
        taken.popped.lost_count = record.lost_count;
        return true;
    }

    void undo_pop(const Taken& taken) {
        Record* record = known(taken.popped.id);
        if (record == nullptr || !record->held || record->pop != taken.pop) {
            return;
        }
        --record->delivery_count;
        --counters.popped;
        record->lost_count -= taken.popped.was_held;
        counters.reclaimed -= taken.popped.was_held;
        record->held = taken.popped.was_held;
        record->runner = taken.popped.holder_before;
        record->pop = taken.pop_before;
        record->leased = false;
    }

    [[nodiscard]] Verdict judge(const Id& id, const Fence& fence) const {
        const Record* record = find(id);
        if (record == nullptr) {
            return Verdict::unknown;
        }
        if (!fence.has_runner) {
            return Verdict::done;
        }
        const bool right = fence.delivery == Fence::any_delivery || fence.delivery == record->delivery_count;
        return record->held && record->runner == fence.runner && right ? Verdict::done : Verdict::refused;
    }

    Verdict heartbeat(const Id& id, const Fence& fence, Time monotonic) {
        Verdict verdict = judge(id, fence);
        if (verdict == Verdict::done && !find(id)->held) {
            verdict = Verdict::refused;
        }
        if (verdict != Verdict::done) {
            ++counters.lost_leases;
            return verdict;
        }
        Record& record = *known(id);
        record.leased = true;
        record.expiry = after(monotonic, record.lease);
        return verdict;
    }

    Verdict remove(const Id& id, const Fence& fence, void*& handle) {
        const Verdict verdict = counted(judge(id, fence));
        if (verdict == Verdict::done) {
            handle = find(id)->handle;
            records.erase(records.begin() + (find(id) - records.data()));
        }
        return verdict;
    }

    Verdict release(const Id& id, const Fence& fence) {
        const Verdict verdict = counted(judge(id, fence));
        if (verdict == Verdict::done) {
            known(id)->held = known(id)->leased = false;
        }
        return verdict;
    }

    Verdict put_back(const Id& id, const Fence& fence, Time due, void*& handle) {
        const Verdict verdict = counted(judge(id, fence));
        if (verdict == Verdict::done) {
            Record& record = *known(id);
            record.held = record.leased = false;
            record.due = due;
            record.order = order_++;
            std::swap(record.handle, handle);
        }
        return verdict;
    }

    bool rekey(const Id& id, std::int16_t priority, Time due) {
        Record* record = known(id);
        if (record == nullptr || record->held) {
            return false;
        }
        record->priority = priority;
        record->due = due;
        record->order = order_++;
        return true;
    }

    Time until_next(std::uint64_t queue, Time wall, Time monotonic) {
        notice_lapses(queue, monotonic);
        Time next = latest;
        bool any = false;
        for (const Record& record : records) {
            if (record.queue == queue) {
                const Time due_in = record.due <= wall ? 0 : between(wall, record.due);
                const Time left = record.leased ? after(between(monotonic, record.expiry), 1) : due_in;
                next = std::min(next, left);
                any = true;
            }
        }
        return any ? next : JobIndex::nothing_to_wait_for;
    }

    [[nodiscard]] std::vector<Record> waiting(std::uint64_t queue, Time wall) const {
        std::vector<Record> found;
        for (const Record& record : records) {
            if (record.queue == queue && !record.leased && record.due <= wall) {
                found.push_back(record);
            }
        }
        std::sort(found.begin(), found.end(), before);
        return found;
    }

    [[nodiscard]] const Record* find(const Id& id) const {
        const auto found = std::find_if(records.begin(), records.end(), [&](const auto& r) { return r.id == id; });
        return found == records.end() ? nullptr : &*found;
    }

    std::vector<Record> records;
    Counters counters;

private:
    static bool before(const Record& left, const Record& right) {
        return std::tuple(-left.priority, left.due, left.order) < std::tuple(-right.priority, right.due, right.order);
    }

    Record* known(const Id& id) { return const_cast<Record*>(find(id)); }

    Verdict counted(Verdict verdict) {
        counters.lost_leases += verdict == Verdict::refused;
        return verdict;
    }

    void notice_lapses(std::uint64_t queue, Time monotonic) {
        for (Record& record : records) {
            record.leased = record.leased && !(record.queue == queue && record.expiry < monotonic);
        }
    }

    std::uint64_t order_ = 0;
    std::uint64_t pops_ = 0;
};

}  // namespace jobcore::testing
