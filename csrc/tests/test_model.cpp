// The index against its model, over many random games. Each draws its own rules first: how many ids and queues there
// are, and which moves are frequent, so that some games fill an index, some keep it nearly empty, some only lose
// leases.

#include <cstdint>
#include <random>

#include "check.hpp"
#include "game.hpp"

namespace {

using jobcore::Fence;
using jobcore::Id;
using jobcore::JobIndex;
using jobcore::Popped;
using jobcore::Verdict;
using jobcore::testing::Game;
using jobcore::testing::progress;
using jobcore::testing::Rules;

/// The same numbers on every platform: the distributions of the standard library differ.
struct Dice {
    std::mt19937_64 numbers;

    std::uint64_t below(std::uint64_t n) { return numbers() % n; }
};

Rules draw_rules(Dice& dice) {
    Rules rules;
    rules.ids = 1 + (dice.below(3) == 0 ? dice.below(300) : dice.below(40));
    rules.queues = 1 + (dice.below(2) == 0 ? dice.below(3) : dice.below(40));
    for (std::uint64_t& weight : rules.weights) {
        weight = dice.below(4) == 0 ? 0 : 1 + dice.below(10);
    }
    rules.weights[0] += 1 + dice.below(20);
    rules.extremes = dice.below(4) == 0;
    return rules;
}

/// A game only holds that `certain` does not lie; here it is worth something, too.
void test_certain() {
    const Id runner{1, 1};
    JobIndex index;
    Popped popped;
    void* handle = nullptr;
    CHECK(!index.certain("queue", 5));
    for (int i = 0; i < 3; ++i) {  // without a look in between, also where the queue was empty
        CHECK(index.insert(Id{1, 1}, "queue", 3, 5, 10, nullptr));
        CHECK(!index.certain("queue", 4));
        CHECK(index.certain("queue", 5));
        CHECK(index.pop("queue", runner, 5, 0, popped));
        CHECK(!index.certain("queue", 5));
        CHECK(index.remove(Id{1, 1}, Fence{}, handle) == Verdict::done);
    }
    // A job of a higher priority comes due at some time: which one is next depends on the clock.
    CHECK(index.insert(Id{1, 1}, "queue", 3, 5, 10, nullptr));
    CHECK(index.insert(Id{2, 2}, "queue", 4, 9, 10, nullptr));
    CHECK(index.until_next("queue", 5, 0) == 0);
    CHECK(!index.certain("queue", 5));
    CHECK(index.until_next("queue", 9, 0) == 0);
    CHECK(index.certain("queue", 9));
}

}  // namespace

int main() {
    test_certain();
    for (progress.seed = 1; progress.seed <= 200; ++progress.seed) {
        Dice dice{std::mt19937_64{progress.seed}};
        const Rules rules = draw_rules(dice);
        Game game(dice, rules);
        for (progress.step = 1; progress.step <= 400; ++progress.step) {
            game.step();
        }
    }
}
