// A libFuzzer target: the bytes choose the moves of a game of the index against its model. `make fuzz` builds and runs
// it; a file that it leaves in build/fuzz/ is replayed by build/fuzz/csrc/tests/fuzz_index FILE.

#include <cstddef>
#include <cstdint>

#include "../game.hpp"

namespace {

using jobcore::testing::Game;
using jobcore::testing::progress;
using jobcore::testing::Rules;

/// A byte for each choice, two where one does not reach; the first choice once they are used up.
struct Bytes {
    const std::uint8_t* next;
    const std::uint8_t* end;

    std::uint64_t take() { return next == end ? 0 : *next++; }

    std::uint64_t below(std::uint64_t n) { return (n <= 256 ? take() : take() << 8 | take()) % n; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes bytes{data, data + size};
    Rules rules;
    rules.ids = 1 + bytes.below(100);
    rules.queues = 1 + bytes.below(30);
    rules.extremes = bytes.below(4) == 0;
    Game game(bytes, rules);
    const std::uint64_t jobs = 50 * bytes.below(5);  // the id table grows at the 65th, and shrinks again
    game.fill(jobs);
    game.empty(jobs == 0 ? 0 : bytes.below(jobs + 1));
    for (progress.step = 1; bytes.next != bytes.end; ++progress.step) {
        game.step();
    }
    return 0;
}
