#pragma once

// Counts what operator new and delete do, and lets the n-th allocation from now fail. It replaces the operators of the
// whole program: include it in the only source file of a test, and use no threads there.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace jobcore::testing::allocations {

inline std::size_t made = 0;   ///< so far
inline std::size_t live = 0;   ///< not given back yet
inline std::size_t bytes = 0;  ///< in those

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
inline std::size_t until_failure = never;

/// Within its life, allocation number `n` from now fails (0: the next one), and every later one.
class Failing {
public:
    explicit Failing(std::size_t n) { until_failure = n; }
    ~Failing() { until_failure = never; }
    Failing(const Failing&) = delete;
    Failing& operator=(const Failing&) = delete;
};

// The size of a block stands in front of it.
constexpr std::size_t header = alignof(std::max_align_t);

inline void* allocate(std::size_t size) {
    if (until_failure != never) {
        if (until_failure == 0) {
            throw std::bad_alloc();
        }
        --until_failure;
    }
    auto* block = static_cast<std::byte*>(std::malloc(header + size));
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    ::new (block) std::size_t(size);
    ++made;
    ++live;
    bytes += size;
    return block + header;
}

inline void release(void* memory) noexcept {
    if (memory != nullptr) {
        auto* block = static_cast<std::byte*>(memory) - header;
        --live;
        const std::size_t size = *std::launder(reinterpret_cast<std::size_t*>(block));
        bytes -= size;
        std::memset(memory, 0xDD, size);  // who still looks there finds no sense
        std::free(block);
    }
}

/// What `operation` allocates.
template <typename Operation>
std::size_t count(Operation operation) {
    const std::size_t before = made;
    operation();
    return made - before;
}

}  // namespace jobcore::testing::allocations

void* operator new(std::size_t size) {
    return jobcore::testing::allocations::allocate(size);
}
void* operator new[](std::size_t size) {
    return jobcore::testing::allocations::allocate(size);
}
void operator delete(void* memory) noexcept {
    jobcore::testing::allocations::release(memory);
}
void operator delete[](void* memory) noexcept {
    jobcore::testing::allocations::release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    jobcore::testing::allocations::release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    jobcore::testing::allocations::release(memory);
}
