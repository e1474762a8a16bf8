"""New ids, by whichever implementation is at work."""

from __future__ import annotations

import time
from itertools import pairwise

from jobcore._ids import uuid7


def test_new_ids_have_version_7_and_the_time_in_front_and_come_in_order() -> None:
    before = time.time_ns() // 1_000_000

    ids = [uuid7() for _ in range(10_000)]

    assert all(earlier < later for earlier, later in pairwise(ids))
    assert {(id.version, id.variant) for id in ids} == {(7, "specified in RFC 4122")}
    # A burst that uses up a millisecond borrows from the next ones.
    assert before <= ids[0].int >> 80 <= ids[-1].int >> 80 <= time.time_ns() // 1_000_000 + 1
