#pragma once

// The clocks of the module `time`, read without going through Python.

#include <chrono>
#include <cstdint>

namespace jobcore {

/// Nanoseconds since 1970.
inline std::int64_t wall_nanoseconds() noexcept {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

/// Nanoseconds on a clock that only goes forward.
inline std::int64_t monotonic_nanoseconds() noexcept {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace jobcore
