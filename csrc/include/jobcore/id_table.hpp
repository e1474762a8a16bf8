#pragma once

// Id -> job: chained hashing through the jobs themselves, so that an entry costs one pointer and no allocation.
// Expected O(1); growing and shrinking re-link every job, O(n), amortised over the insertions or removals before.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "jobcore/job.hpp"

namespace jobcore {

// Among a million jobs every look at one waits for memory. What a later step will look at can be on its way by then.
inline void fetch_ahead([[maybe_unused]] const void* address) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(address);
#endif
}

class IdTable {
public:
    IdTable() : slots_(std::make_unique<Job*[]>(smallest)) {}

    [[nodiscard]] Job* find(const Id& id) const noexcept {
        Job* job = slots_[slot(id)];
        while (job != nullptr && job->id != id) {
            job = job->chained;
        }
        return job;
    }

    void prefetch(const Id& id) const noexcept { fetch_ahead(&slots_[slot(id)]); }

    /// Makes room for one more, so that the next `insert` cannot fail.
    void reserve_one() {
        if (size_ == capacity_) {
            resize(2 * capacity_);
        }
    }

    /// Adds a job whose id is not there.
    void insert(Job& job) noexcept {
        Job*& first = slots_[slot(job.id)];
        job.chained = first;
        first = &job;
        ++size_;
    }

    void erase(Job& job) noexcept {
        Job** link = &slots_[slot(job.id)];
        while (*link != &job) {
            link = &(*link)->chained;
        }
        *link = job.chained;
        --size_;
        if (size_ < capacity_ / 8 && capacity_ > smallest) {
            try {
                resize(std::max(capacity_ / 4, smallest));
            } catch (const std::bad_alloc&) {  // it stays large until a later removal finds the memory
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    static constexpr std::size_t smallest = 64;

    [[nodiscard]] std::size_t slot(const Id& id) const noexcept {
        // Ids may share either half (UUID version 1 does); the high bits of the product depend on all of both.
        const std::uint64_t mixed = (id.high ^ std::rotl(id.low, 29)) * 0x9E3779B97F4A7C15U;
        return static_cast<std::size_t>(mixed >> shift_);
    }

    void resize(std::size_t capacity) {
        auto slots = std::make_unique<Job*[]>(capacity);
        std::swap(slots, slots_);
        const std::size_t before = std::exchange(capacity_, capacity);
        shift_ = 64 - std::countr_zero(capacity);
        for (std::size_t i = 0; i < before; ++i) {
            for (Job* job = slots[i]; job != nullptr;) {
                Job* next = job->chained;
                Job*& first = slots_[slot(job->id)];
                job->chained = first;
                first = job;
                job = next;
            }
        }
    }

    std::unique_ptr<Job*[]> slots_;
    std::size_t capacity_ = smallest;
    int shift_ = 64 - std::countr_zero(smallest);
    std::size_t size_ = 0;
};

}  // namespace jobcore
