"""From verdicts to votes: not before the time-out, and from the beginning after a recovery."""

from __future__ import annotations

from health.core.region import RegionHealth, RegionVerdict
from health.core.watching import Watching


def verdicts(health: RegionHealth) -> dict[str, RegionVerdict]:
    return {"eu": RegionVerdict("eu", health, 0, 1, "0 of 1 endpoint up", 1.0)}


def test_a_region_is_voted_down_once_it_has_been_down_for_the_timeout() -> None:
    watching = Watching()
    assert watching.votes(verdicts("down"), timeout_s=5.0, now=100.0) == {}
    assert watching.votes(verdicts("down"), timeout_s=5.0, now=104.9) == {}
    assert watching.votes(verdicts("down"), timeout_s=5.0, now=105.0) == {"eu": ("down", "0 of 1 endpoint up for 5 s")}


def test_a_recovery_begins_anew_both_ways() -> None:
    watching = Watching()
    watching.votes(verdicts("down"), timeout_s=5.0, now=100.0)
    assert watching.votes(verdicts("degraded"), timeout_s=5.0, now=104.0)["eu"][0] == "reachable"
    assert watching.well_for_s(now=110.0) == {"eu": 6.0}
    assert watching.votes(verdicts("down"), timeout_s=5.0, now=106.0) == {}
    assert watching.well_for_s(now=110.0) == {}


def test_of_what_is_not_tested_nothing_is_said() -> None:
    watching = Watching()
    watching.votes(verdicts("up"), timeout_s=5.0, now=100.0)
    assert watching.votes(verdicts("untested"), timeout_s=5.0, now=101.0) == {}
    assert watching.well_for_s(now=102.0) == {"eu": 2.0}
