#pragma once

// CHECK(expression): on false it prints the expression, its place and, where a test is at work on many random runs, the
// run and the step; then it aborts, so that a debugger and a fuzzer stop there. It does not depend on NDEBUG.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace jobcore::testing {

/// Where a randomised test is, for the message of a failed check.
struct Progress {
    std::uint64_t seed = 0;
    std::uint64_t step = 0;
};

inline thread_local Progress progress;

[[noreturn]] inline void fail(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: CHECK(%s) failed, seed %llu, step %llu\n", file, line, expression,
                 static_cast<unsigned long long>(progress.seed), static_cast<unsigned long long>(progress.step));
    std::abort();
}

}  // namespace jobcore::testing

#define CHECK(...) \
    (static_cast<bool>(__VA_ARGS__) ? void() : ::jobcore::testing::fail(#__VA_ARGS__, __FILE__, __LINE__))
