"""One contender, in virtual time."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from health.core.lease import Fence, Lease, LeaseSettings, LeaseValue, Look, Put, read
from health.core.rows import Conflict, Unavailable

SETTINGS = LeaseSettings(ttl_s=10.0, renew_s=3.0)


def contender(run: str = "a/1", now: float = 0.0) -> Lease:
    return Lease(run=run, node=run[0], settings=SETTINGS, rng=random.Random(1), now=now)


def other(epoch: int = 4, beat: int = 7, *, released: bool = False, ttl_s: float = 10.0) -> dict[str, Any]:
    held: dict[str, Any] = msgspec.to_builtins(LeaseValue("b/1", "b", epoch, beat, ttl_s, released))
    return held


def lead(lease: Lease, now: float = 0.0, current: Any = None) -> dict[str, Any]:
    """From nothing, or from `current`, to leading, in no time."""
    assert isinstance(lease.wake(now), Look)
    lease.observed(current, now=now)
    claim = lease.wake(now)
    assert isinstance(claim, Put)
    value: dict[str, Any] = claim.change(current)
    lease.answered("claim", value, asked_at=now, now=now)
    fence = lease.wake(now)
    assert isinstance(fence, Fence)
    assert lease.epoch(now) is None
    lease.fenced(fence.epoch, now=now)
    return value


def test_where_nobody_ever_led_the_first_claim_leads_once_the_stores_are_fenced() -> None:
    lease = contender()
    value = lead(lease)
    assert (lease.epoch(0.0), value["epoch"], value["beat"]) == (1, 1, 1)


def test_acting_ends_by_the_clock_alone_counted_from_before_the_question() -> None:
    lease = contender()
    lead(lease)
    assert lease.epoch(9.84) == 1
    assert lease.epoch(9.85) is None  # 10 s, less a percent, less 50 ms
    assert lease.wake(9.85) is not None
    assert "ran out" in lease.reason


def test_a_renewal_prolongs_from_when_it_was_asked_for() -> None:
    lease = contender()
    current = lead(lease)
    assert lease.wake(2.9) is None
    renewal = lease.wake(3.0)
    assert isinstance(renewal, Put)
    lease.answered("renew", renewal.change(current), asked_at=3.0, now=5.0)
    assert lease.epoch(12.8) == 1
    assert lease.epoch(12.9) is None


def test_a_lease_that_came_too_late_is_none() -> None:
    lease = contender()
    lease.wake(0.0)
    lease.observed(None, now=0.0)
    claim = lease.wake(0.0)
    assert isinstance(claim, Put)
    lease.answered("claim", claim.change(None), asked_at=0.0, now=11.0)
    again = lease.wake(11.0)
    assert isinstance(again, Put)
    assert again.what == "claim"
    assert lease.epoch(11.0) is None


def test_a_renewal_that_is_answered_after_the_deadline_does_not_revive_the_epoch() -> None:
    lease = contender()
    current = lead(lease)
    renewal = lease.wake(8.0)
    assert isinstance(renewal, Put)
    value = renewal.change(current)
    lease.answered("renew", value, asked_at=8.0, now=12.0)  # asked in time, and nobody woke the machine meanwhile
    assert lease.epoch(12.0) is None
    claim = lease.wake(12.0)
    assert isinstance(claim, Put)
    assert (claim.what, claim.change(value)["epoch"]) == ("claim", 2)


def test_another_holder_is_waited_for_in_full_since_its_last_sign() -> None:
    lease = contender()
    lease.wake(0.0)
    lease.observed(other(beat=7), now=0.0)
    assert isinstance(lease.wake(5.0), Look)
    lease.observed(other(beat=8), now=5.0)
    assert isinstance(lease.wake(15.09), Look)
    lease.observed(other(beat=8), now=15.09)
    claim = lease.wake(15.6)
    assert isinstance(claim, Put)
    value = claim.change(other(beat=8))
    assert (value["epoch"], value["holder"]) == (5, "a/1")
    with pytest.raises(Conflict):
        claim.change(other(beat=9))


def test_a_longer_lease_of_the_holder_is_respected() -> None:
    lease = contender()
    lease.wake(0.0)
    lease.observed(other(ttl_s=60.0), now=0.0)
    assert isinstance(lease.wake(59.0), Look)


def test_a_lease_that_was_given_back_needs_no_waiting() -> None:
    lease = contender()
    assert lead(lease, current=other(released=True))["epoch"] == 5


def test_two_attempts_never_look_alike() -> None:
    lease = contender()
    current = lead(lease)
    first = lease.wake(3.0)
    assert isinstance(first, Put)
    seen = first.change(current)["beat"]
    lease.failed("renew", None, now=4.0)
    second = lease.wake(6.0)
    assert isinstance(second, Put)
    assert second.change(current)["beat"] > seen


def test_a_holder_that_was_replaced_stops_at_once() -> None:
    lease = contender()
    lead(lease)
    lease.wake(3.0)
    lease.failed("renew", Conflict("found another holder"), now=3.1)
    assert lease.epoch(3.1) is None
    assert lease.reason == "another node was first"


def test_a_holder_that_gets_no_answer_tries_again_until_its_time_is_up() -> None:
    lease = contender()
    lead(lease)
    tries = 0
    for tenth in range(30, 98):
        now = tenth / 10
        if isinstance(lease.wake(now), Put):
            tries += 1
            lease.failed("renew", Unavailable("no majority"), now=now)
        assert lease.epoch(now) == 1
    assert tries >= 3


def test_a_lost_lease_is_claimed_again_in_a_new_epoch() -> None:
    lease = contender()
    value = lead(lease)
    claim = lease.wake(9.9)
    assert isinstance(claim, Put)
    assert claim.what == "claim"
    assert claim.change(value)["epoch"] == 2


def test_stopping_gives_the_lease_back_and_acts_no_more() -> None:
    lease = contender()
    value = lead(lease)
    release = lease.stop(1.0)
    assert isinstance(release, Put)
    assert lease.epoch(1.0) is None
    assert release.change(value)["released"]
    assert lease.wake(5.0) is None
    assert contender().stop(0.0) is None


def test_an_epoch_that_was_seen_anywhere_is_never_given_out_again() -> None:
    lease = contender()
    lease.raise_floor(41)
    assert lead(lease)["epoch"] == 42


def test_a_node_that_may_not_lead_only_looks() -> None:
    lease = contender()
    lease.abstains = "no boot-time clock"
    for now in (0.0, 20.0, 40.0):
        assert isinstance(lease.wake(now), Look)
        lease.observed(None, now=now)


@pytest.mark.parametrize("value", [{"holder": 1}, [], "x", other(epoch=0), other(ttl_s=1e9), {**other(), "beat": -1}])
def test_a_lease_that_is_not_understood_is_never_overwritten(value: Any) -> None:
    assert isinstance(read(value), str)
    lease = contender()
    lease.wake(0.0)
    lease.observed(value, now=0.0)
    assert isinstance(lease.wake(60.0), Look)


def test_settings_that_leave_no_second_try_are_refused() -> None:
    with pytest.raises(ValueError, match="expected two within"):
        Lease(run="a", node="a", settings=LeaseSettings(10, 5), rng=random.Random(1), now=0)
