#pragma once

// UUIDs of version 7: in the order in which they were made. A clock reading in milliseconds stands in front, 74 bits
// follow: random at the first id of a millisecond (its top bit clear, so that there is room), a random step further at
// each next one. A clock that goes back changes nothing: the source stays at the latest millisecond it has seen.
// (RFC 9562, 6.2, methods 1 and 2; `jobcore/_ids.py` keeps the same rule.)

#include <cstdint>
#include <random>

#include "jobcore/id.hpp"

namespace jobcore {

class Uuid7Source {
public:
    /// The next id; `milliseconds` since 1970. May throw if the system has no randomness to give.
    Id next(std::uint64_t milliseconds) {
        const std::uint64_t low = tail_low_ + 1 + (step() >> 32);
        tail_high_ += low >> 62;
        tail_low_ = low & low_mask;
        if (milliseconds > milliseconds_ || tail_high_ > high_mask) {
            const std::uint64_t drawn[] = {entropy(), entropy(), entropy()};
            tail_high_ = drawn[0] & (high_mask >> 1);
            tail_low_ = drawn[1] & low_mask;
            state_ = drawn[2];
            milliseconds_ = milliseconds > milliseconds_ ? milliseconds : milliseconds_ + 1;
        }
        return {milliseconds_ << 16 | 0x7000 | tail_high_, std::uint64_t{1} << 63 | tail_low_};
    }

    /// Starts afresh: a forked child must not go on with its parent's tail.
    void renew() noexcept { milliseconds_ = 0; }

private:
    static constexpr std::uint64_t high_mask = (std::uint64_t{1} << 12) - 1;
    static constexpr std::uint64_t low_mask = (std::uint64_t{1} << 62) - 1;

    std::uint64_t entropy() { return std::uint64_t{random_()} << 32 | random_(); }

    // SplitMix64: two multiplications, well mixed; the entropy of each millisecond reseeds it.
    std::uint64_t step() noexcept {
        std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15U;
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBU;
        return mixed ^ mixed >> 31;
    }

    std::random_device random_;
    std::uint64_t milliseconds_ = 0;
    std::uint64_t tail_high_ = 0;
    std::uint64_t tail_low_ = 0;
    std::uint64_t state_ = 0;
};

}  // namespace jobcore
