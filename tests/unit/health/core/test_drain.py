"""Ramps, restarts and overlapping orders, on a clock that a test turns."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from health.core.drain import LONGEST_STEP_S, Drains, Order, Standing, Target, target_of

EU = Target("region", "eu")
ONE = "api/eu/10.0.0.1:80"
OTHER = "api/us/10.0.0.2:80"


def order(action: str = "drain", *, over_s: float = 10.0, at: float = 1000.0, **fields: object) -> Order:
    made = {"action": action, "over_s": over_s, "at": at, "author": "ann", "reason": "patching", **fields}
    return msgspec.convert(made, Order)


def drains(*orders: tuple[str, Order], now: float = 0.0, wall: float = 1000.0) -> Drains:
    made = Drains()
    assert made.adopt("all", [(key, 1, one) for key, one in orders], now=now, wall=wall) == []
    return made


def test_the_share_falls_over_the_time_given_and_then_is_zero() -> None:
    made = drains(("region/eu", order()))
    shares = [made.share("all", EU, now=second) for second in (0, 2.4, 5, 9.4, 10, 500)]
    assert shares == [0.95, 0.75, 0.45, 0.05, 0.0, 0.0]


def test_new_sessions_stop_with_the_first_step_and_other_regions_notice_nothing() -> None:
    made = drains(("region/eu", order()))
    standing = made.standing(ONE, now=0.0)
    assert standing is not None
    assert (standing.is_draining, standing.reason) == (True, "region eu is drained by ann: patching")
    assert made.standing(OTHER, now=0.0) is None


def test_an_undrain_rises_from_where_the_drain_had_got_to_and_is_over_at_one() -> None:
    made = drains(("region/eu", order("undrain", start=0.5)))
    first = made.standing(ONE, now=0.0)
    assert first is not None
    assert not first.is_draining
    assert 0.5 < first.share < 0.6
    assert made.over(now=9.9) == []
    assert made.standing(ONE, now=10.0) is None
    assert made.over(now=10.0) == [("all", EU, 1)]
    assert made.over(now=10.0, for_s=5.0) == []


def test_a_restart_in_the_middle_goes_on_where_the_drain_was() -> None:
    first = drains(("region/eu", order(over_s=60.0)), now=500.0, wall=1000.0)
    after = drains(("region/eu", order(over_s=60.0)), now=3.0, wall=1030.0)
    assert after.share("all", EU, now=3.0) == first.share("all", EU, now=530.0)


def test_a_clock_that_jumps_moves_nothing_that_is_under_way() -> None:
    made = drains(("region/eu", order(over_s=60.0)), now=0.0, wall=1000.0)
    before = made.share("all", EU, now=30.0)
    made.adopt("all", [("region/eu", 1, order(over_s=60.0))], now=30.0, wall=-5000.0)
    assert made.share("all", EU, now=30.0) == before


def test_an_order_from_a_clock_that_is_ahead_begins_now() -> None:
    made = drains(("region/eu", order(at=9000.0)), wall=1000.0)
    assert made.share("all", EU, now=0.0) == 0.95
    assert made.share("all", EU, now=10.0) == 0.0


def test_a_new_version_of_the_row_is_a_new_order() -> None:
    made = drains(("region/eu", order()))
    made.adopt("all", [("region/eu", 2, order("undrain", at=1010.0, start=0.0))], now=10.0, wall=1010.0)
    assert made.share("all", EU, now=10.0) == 0.05
    assert made.version("all", EU) == 2
    made.adopt("all", [], now=11.0, wall=1011.0)
    assert len(made) == 0


def test_the_strictest_of_region_service_and_endpoint_wins() -> None:
    made = drains(
        ("region/eu", order(over_s=0.0)), ("service/api", order(over_s=100.0)), (f"endpoint/{OTHER}", order())
    )
    assert made.standing(ONE, now=5.0) == Standing(
        0.0, is_draining=True, reason="region eu is drained by ann: patching"
    )
    other = made.standing(OTHER, now=5.0)
    assert other is not None
    assert other.share == 0.45


def test_a_local_order_stands_beside_the_one_of_all_nodes_and_says_so() -> None:
    made = drains(("region/eu", order("undrain", over_s=0.0)))
    made.adopt("local", [("region/eu", 1, order(over_s=0.0, reason=""))], now=0.0, wall=1000.0)
    assert made.standing(ONE, now=1.0) == Standing(
        0.0, is_draining=True, reason="region eu is drained on this node only by ann"
    )
    assert made.strictest(EU, now=1.0) == 0.0
    made.adopt("local", [], now=1.0, wall=1001.0)
    assert made.standing(ONE, now=1.0) is None


def test_a_deadline_counts_from_the_order() -> None:
    made = drains(("region/eu", order(deadline_s=30.0)), wall=1020.0)
    assert not made.is_overdue("all", EU, now=9.9)
    assert made.is_overdue("all", EU, now=10.0)
    assert not drains(("region/eu", order())).is_overdue("all", EU, now=1e9)
    before, after = made.standing(ONE, now=9.9), made.standing(ONE, now=10.0)
    assert before is not None
    assert after is not None
    assert (before.is_overdue, after.is_overdue) == (False, True)


def test_keys_that_name_nothing_are_said_and_left_out() -> None:
    made = Drains()
    said = made.adopt("all", [("planet/eu", 1, order()), ("endpoint/api", 1, order())], now=0.0, wall=0.0)
    assert len(said) == 2
    assert "expected region/<id>" in said[0]
    assert len(made) == 0


@pytest.mark.parametrize("key", ["", "region", "region/", "planet/x", "endpoint/a/b"])
def test_what_is_no_target_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="found"):
        target_of(key)


def test_a_target_is_read_back_as_it_was_written() -> None:
    for target in (EU, Target("service", "api"), Target("endpoint", "api/eu/[::1]:80")):
        assert target_of(str(target)) == target


@pytest.mark.parametrize(
    "wrong", [{"over_s": -1.0}, {"start": 1.5}, {"at": float("nan")}, {"deadline_s": float("inf")}]
)
def test_an_order_with_a_time_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        order(**wrong)  # type: ignore[arg-type]  # what is wrong about it


@given(
    over_s=st.floats(0.0, 600.0),
    start=st.floats(0.0, 1.0),
    action=st.sampled_from(["drain", "undrain"]),
    times=st.lists(st.floats(0.0, 700.0), min_size=2, max_size=20),
)
def test_a_share_never_turns_back_and_stays_within_its_bounds(
    over_s: float, start: float, action: str, times: list[float]
) -> None:
    made = drains(("region/eu", order(action, over_s=over_s, start=start)))
    shares = [made.share("all", EU, now=at) for at in sorted(times)]
    assert shares == sorted(shares, reverse=action == "drain")
    assert all(0 <= share <= 1 for share in shares)
    assert made.share("all", EU, now=over_s + 1) == (0.0 if action == "drain" else 1.0)


@given(over_s=st.floats(0.1, 600.0), now=st.floats(0.0, 599.0))
def test_between_two_steps_nothing_moves(over_s: float, now: float) -> None:
    made = drains(("region/eu", order(over_s=over_s)))
    step = made.next_step(now=now)
    if now >= over_s:
        assert step is None
    else:
        assert step is not None
        assert now < step <= now + LONGEST_STEP_S + 1e-6
        assert made.share("all", EU, now=now) == made.share("all", EU, now=max(now, step - 1e-6))
