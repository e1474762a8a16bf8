// UUIDs of version 7: their layout, and their order, which nothing breaks: not a full millisecond, not a clock that
// goes back, not a tail that overflows.

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "check.hpp"
#include "jobcore/uuid7.hpp"

namespace {

using jobcore::Id;
using jobcore::Uuid7Source;

constexpr std::uint64_t now = 0x19A0F2B3C4D;  // a day in 2025

/// Names private members: explicit instantiations may. It takes 2^41 ids to overflow the tail by calls alone.
template <typename Tag, std::uint64_t Uuid7Source::* member>
struct Reveal {
    friend std::uint64_t& revealed(Tag, Uuid7Source& source) { return source.*member; }
};
struct TailHigh {};
struct TailLow {};
std::uint64_t& revealed(TailHigh, Uuid7Source& source);
std::uint64_t& revealed(TailLow, Uuid7Source& source);
template struct Reveal<TailHigh, &Uuid7Source::tail_high_>;
template struct Reveal<TailLow, &Uuid7Source::tail_low_>;

std::uint64_t milliseconds(const Id& id) {
    return id.high >> 16;
}

bool less(const Id& left, const Id& right) {
    return std::pair(left.high, left.low) < std::pair(right.high, right.low);
}

void check_layout(const Id& id) {
    CHECK((id.high >> 12 & 0xF) == 7);
    CHECK(id.low >> 62 == 2);
}

void test_layout() {
    Uuid7Source source;
    for (std::uint64_t i = 0; i < 100000; ++i) {
        const Id id = source.next(now + i / 7);
        check_layout(id);
        CHECK(milliseconds(id) == now + i / 7);
    }
    check_layout(source.next((std::uint64_t{1} << 48) - 1));
}

void test_order() {
    Uuid7Source source;
    Id before = source.next(now);
    for (std::uint64_t i = 0; i < 200000; ++i) {
        // Forward, standing still, back by little and by much.
        const std::uint64_t clock = i % 1000 < 900 ? now + i / 100 : i % 3 == 0 ? now - 5000 : now + i / 100 - 3;
        const Id id = source.next(clock);
        check_layout(id);
        CHECK(less(before, id));
        CHECK(milliseconds(id) >= clock && milliseconds(id) >= milliseconds(before));
        before = id;
    }
}

void test_overflow_of_the_tail() {
    constexpr std::uint64_t low_mask = (std::uint64_t{1} << 62) - 1;
    Uuid7Source source;
    source.next(now);
    // The low part of the tail overflows into the high one.
    revealed(TailHigh{}, source) = 0x123;
    revealed(TailLow{}, source) = low_mask;
    const Id carried = source.next(now);
    check_layout(carried);
    CHECK(milliseconds(carried) == now && (carried.high & 0xFFF) == 0x124);
    // All of the tail overflows: the source lends itself the next millisecond, and keeps it.
    revealed(TailHigh{}, source) = 0xFFF;
    revealed(TailLow{}, source) = low_mask;
    Id before = source.next(now);
    check_layout(before);
    CHECK(milliseconds(before) == now + 1 && (before.high & 0x800) == 0);
    for (const std::uint64_t clock : {now, now + 1, now - 1, now + 1, now + 2, now + 1, now + 3}) {
        const Id id = source.next(clock);
        CHECK(less(before, id));
        CHECK(milliseconds(id) >= now + 1 && milliseconds(id) <= now + 3);
        before = id;
    }
}

void test_room_and_chance() {
    // Each millisecond starts at a random place in the lower half of its range; each step in it is random, too.
    std::set<std::uint64_t> starts;
    std::set<std::uint64_t> steps;
    Uuid7Source source;
    for (std::uint64_t i = 1; i <= 2000; ++i) {
        const Id first = source.next(now + i);
        const Id second = source.next(now + i);
        CHECK((first.high & 0x800) == 0);
        starts.insert(first.low);
        steps.insert(second.low - first.low);
        CHECK(second.high == first.high ? second.low - first.low <= std::uint64_t{1} << 32 : second.low < first.low);
    }
    CHECK(starts.size() == 2000);
    CHECK(steps.size() > 1990);
}

void test_sources_differ() {
    Uuid7Source one;
    Uuid7Source other;
    const Id first = one.next(now);
    const Id first_of_other = other.next(now);
    CHECK(first.low != first_of_other.low);
    CHECK(one.next(now).low - first.low !=
          other.next(now).low - first_of_other.low);  // nor can one be told by the other
}

void test_renewal() {
    // As in a forked child: the same millisecond, another tail.
    Uuid7Source source;
    const Id before = source.next(now);
    const Id follower = source.next(now);
    CHECK(follower.high == before.high || follower.low < before.low);
    source.renew();
    const Id renewed = source.next(now);
    check_layout(renewed);
    CHECK(milliseconds(renewed) == now);
    const std::uint64_t step = renewed.low - follower.low;
    CHECK(step > std::uint64_t{1} << 33);  // by a chance of 2^-29 not
}

}  // namespace

int main() {
    test_layout();
    test_order();
    test_overflow_of_the_tail();
    test_room_and_chance();
    test_sources_differ();
    test_renewal();
}
