"""What a data plane tells of the sessions that it saw."""

from __future__ import annotations

import random

from gateway.core.sessions import SessionTally


def test_each_session_is_told_once_where_it_was_last() -> None:
    tally = SessionTally()
    for number, endpoint in ((1, "a"), (2, "a"), (1, "b"), (2, "a")):
        tally.seen(number, endpoint)
    level, seen = tally.take()
    assert (level, seen) == (0, {"b": [1], "a": [2]})
    assert tally.take() == (0, {})


def test_more_than_can_be_told_are_told_as_a_fair_sample() -> None:
    rng = random.Random(1)
    tally = SessionTally(max_seen=1000)
    for _ in range(20_000):
        tally.seen(rng.getrandbits(64), rng.choice("ab"))
    level, seen = tally.take()
    found = {endpoint: len(numbers) << level for endpoint, numbers in seen.items()}
    assert sum(len(numbers) for numbers in seen.values()) <= 1000
    assert all(abs(count - 10_000) < 1500 for count in found.values())
    assert all(number % (1 << level) == 0 for numbers in seen.values() for number in numbers)


def test_outcomes_are_counted_since_the_last_time() -> None:
    tally = SessionTally()
    tally.count("api", "session_kept", "")
    tally.count("api", "session_kept", "")
    tally.count("api", "session_moved", "probe_down")
    assert tally.take_counts() == {("api", "session_kept", ""): 2, ("api", "session_moved", "probe_down"): 1}
    assert tally.take_counts() == {}
