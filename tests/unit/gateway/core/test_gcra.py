"""The cell rate algorithm against an exact log of a bucket."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.gcra import left, quota, sane, share, take


class ExactBucket:
    """A token bucket in fractions: every token that came back and every one that went."""

    def __init__(self, rate: int, burst: int) -> None:
        self._rate, self._burst = Fraction(rate), Fraction(burst)
        self._tokens, self._at = Fraction(burst), Fraction(0)

    def take(self, now: Fraction) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@given(
    st.sampled_from([1, 2, 5, 10, 64, 100, 1000]),
    st.integers(1, 50),
    st.lists(st.integers(0, 4096), max_size=200),
)
def test_it_admits_what_an_exact_bucket_admits(rate: int, burst: int, gaps: list[int]) -> None:
    of, exact = quota(rate, burst), ExactBucket(rate, burst)
    tat, now = 0.0, Fraction(1000)
    exact.take(now - 1000)  # an hour ago, so that it is full again
    for gap in gaps:
        now += Fraction(gap, 1024 * rate)
        fresh, wait_s = take(tat, float(now), of)
        allowed = exact.take(now)
        if allowed != (wait_s == 0.0):
            # only at the very edge, where a token comes back to the bit
            assert abs(float(fresh - float(now) - of.burst_s)) < 1e-6
            return
        if allowed:
            tat = fresh


@given(st.integers(1, 1000), st.integers(1, 100), st.integers(1, 300))
def test_delayed_requests_go_out_at_the_rate(rate: int, burst: int, crowd: int) -> None:
    of, tat, waits = quota(rate, burst), 0.0, []
    for _ in range(crowd):
        tat, wait_s = take(tat, 100.0, of)
        waits.append(wait_s)
    assert waits[:burst] == [0.0] * min(burst, crowd)
    for number, wait_s in enumerate(waits[burst:], 1):
        assert abs(wait_s - number / rate) < 1e-6


def test_an_impossible_time_is_cut_down_to_an_empty_bucket() -> None:
    of = quota(10, 20)
    assert sane(1e9, 5.0, of, 0.0) == 7.0
    assert sane(6.5, 5.0, of, 0.0) == 6.5
    assert sane(8.0, 5.0, of, 1.0) == 8.0, "what waits in line may owe more"
    assert take(sane(1e9, 5.0, of, 0.0), 5.0, of)[1] > 0


def test_what_is_left_is_counted_in_whole_tokens() -> None:
    of = quota(10, 20)
    assert [left(tat, 5.0, of) for tat in (0.0, 5.0, 5.1, 5.15, 6.9, 7.0, 9.0)] == [20, 20, 19, 18, 1, 0, 0]


def test_a_rate_of_less_than_one_a_second_still_lets_one_through_and_shares_do_too() -> None:
    assert quota(0.1, None).burst == 1
    assert quota(2.5, None).burst == 2
    part = share(quota(10, 3), 4)
    assert (part.rate, part.burst) == (2.5, 1)
    assert share(quota(10, 3), 1) == quota(10, 3)
