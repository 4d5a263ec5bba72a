"""Out for a while, never too many, never all."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ejections import Ejections, OutlierPolicy, success_rate_outliers


def policy(**changes: Any) -> OutlierPolicy:
    values: dict[str, Any] = {
        "interval_s": 10.0,
        "consecutive_errors": 5,
        "deviations": 1.9,
        "min_hosts": 5,
        "min_requests": 100,
        "base_s": 30.0,
        "longest_s": 300.0,
        "max_share": 0.3,
    }
    return OutlierPolicy(**{**values, **changes})


@given(count=st.integers(0, 40), share=st.floats(0, 1))
def test_of_two_or_more_one_may_be_out_and_never_all(count: int, share: float) -> None:
    most = policy(max_share=share).most(count)
    assert most <= max(0, count - 1)
    assert (most >= 1) == (count >= 2)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=80))
def test_never_more_are_out_than_the_share_allows(steps: list[tuple[int, int]]) -> None:
    ejections, now = Ejections(policy()), 0.0
    for name, ahead in steps:
        now += ahead
        ejections.eject(str(name), of=10, now=now)
        assert len(ejections.out(now)) <= 3


def test_each_ejection_in_a_row_is_twice_as_long_and_time_spent_well_forgives() -> None:
    ejections, now, lengths = Ejections(policy()), 0.0, []
    for _ in range(5):
        until = ejections.eject("a", of=2, now=now)
        assert until is not None
        lengths.append(until - now)
        now = until
    assert lengths == [30.0, 60.0, 120.0, 240.0, 300.0]
    until = ejections.eject("a", of=2, now=now + 1000.0)
    assert until == now + 1000.0 + 30.0


def test_who_is_out_by_somebody_elses_say_counts() -> None:
    assert Ejections(policy()).eject("a", of=10, elsewhere=3, now=0.0) is None


def test_a_rate_far_below_the_mean_is_an_outlier_and_few_requests_or_hosts_say_nothing() -> None:
    good = {str(number): (1000, 5) for number in range(9)}
    assert success_rate_outliers({**good, "bad": (1000, 300)}, policy()) == ["bad"]
    assert success_rate_outliers({**good, "bad": (99, 99)}, policy()) == []
    assert success_rate_outliers({"1": (1000, 0), "bad": (1000, 999)}, policy()) == []
    assert success_rate_outliers(good, policy()) == []
