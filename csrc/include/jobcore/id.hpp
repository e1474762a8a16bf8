#pragma once

#include <cstdint>

namespace jobcore {

/// 128 bits that name a job or a runner.
struct Id {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    friend bool operator==(const Id&, const Id&) noexcept = default;
};

}  // namespace jobcore
