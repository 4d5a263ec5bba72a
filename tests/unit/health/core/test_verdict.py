"""One endpoint's verdict: thresholds, reasons, and what survives a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health.core.probe import ProbeResult, ProbeSettings, ProbeTarget
from health.core.verdict import HISTORY_LENGTH, EndpointLedger, EndpointVerdict, Health, from_saved, to_saved

WELL, ILL = True, False
SETTINGS = ProbeSettings(healthy_threshold=2, unhealthy_threshold=3)
TARGET = ProbeTarget("api/eu/10.0.0.1:80", "api", "eu", "10.0.0.1", 80, SETTINGS)


def result(passed: bool | None, reason: str = "") -> ProbeResult:
    spoken = {True: "http 200", False: "connection refused", None: "no free local port"}[passed]
    return ProbeResult(passed, reason or spoken, at=50.0, took_s=0.01)


def ledger_after(*passed: bool | None, settings: ProbeSettings = SETTINGS) -> EndpointLedger:
    ledger = EndpointLedger(settings, now=0.0)
    for number, one in enumerate(passed, start=1):
        ledger.observe(result(one), now=float(number), steady=float(number))
    return ledger


def test_an_endpoint_starts_untested_and_says_so() -> None:
    ledger = EndpointLedger(SETTINGS, now=7.0)
    assert (ledger.health, ledger.reason, ledger.since) == ("untested", "not probed yet", 7.0)


@pytest.mark.parametrize(("passed", "health"), [(True, "up"), (False, "down")])
def test_the_first_result_decides_at_once(passed: bool, health: Health) -> None:
    ledger = EndpointLedger(SETTINGS, now=0.0)
    assert ledger.observe(result(passed), now=1.0, steady=1.0)
    assert (ledger.health, ledger.since) == (health, 1.0)


def test_an_up_endpoint_goes_down_at_the_last_of_the_failures_in_a_row() -> None:
    ledger = ledger_after(WELL, ILL, ILL)
    assert ledger.health == "up"
    assert ledger.observe(result(ILL, "http 503"), now=9.0, steady=9.0)
    assert (ledger.health, ledger.reason, ledger.since) == ("down", "http 503", 9.0)


def test_a_success_between_failures_starts_the_row_anew() -> None:
    assert ledger_after(WELL, ILL, ILL, WELL, ILL, ILL).health == "up"


def test_a_down_endpoint_comes_back_after_successes_in_a_row() -> None:
    ledger = ledger_after(ILL, WELL)
    assert ledger.health == "down"
    assert ledger.observe(result(WELL), now=9.0, steady=9.0)
    assert (ledger.health, ledger.reason) == ("up", "http 200")


def test_an_inconclusive_result_is_kept_and_moves_nothing() -> None:
    ledger = ledger_after(WELL, ILL, ILL, None)
    assert (ledger.health, ledger.failures) == ("up", 2)
    assert ledger.last == result(None)
    assert ledger.observe(result(ILL), now=9.0, steady=9.0)


def test_an_endpoint_that_was_never_conclusively_probed_stays_untested() -> None:
    assert ledger_after(None, None, None, None).health == "untested"


def test_the_reason_stays_that_of_the_decision_while_the_latest_result_stands_beside_it() -> None:
    ledger = ledger_after(ILL)
    assert not ledger.observe(result(ILL, "http 503"), now=9.0, steady=9.0)
    verdict = ledger.verdict(TARGET, rtt_s=None, steady=0.0)
    assert verdict.reason == "connection refused"
    assert verdict.last is not None
    assert verdict.last.reason == "http 503"


def test_new_thresholds_hold_from_the_next_result() -> None:
    ledger = ledger_after(WELL, ILL)
    ledger.settings = ProbeSettings(unhealthy_threshold=2)
    assert ledger.observe(result(ILL), now=9.0, steady=9.0)


def test_the_history_is_bounded_and_ends_with_the_latest() -> None:
    ledger = ledger_after(*[WELL] * (HISTORY_LENGTH + 5), ILL)
    assert len(ledger.history) == HISTORY_LENGTH
    assert ledger.history[-1].passed is False


@given(
    st.lists(st.sampled_from([True, False, None]), max_size=40),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_any_sequence_of_results_gives_the_verdict_of_a_naive_reading(
    sequence: list[bool | None], healthy_threshold: int, unhealthy_threshold: int
) -> None:
    settings = ProbeSettings(healthy_threshold=healthy_threshold, unhealthy_threshold=unhealthy_threshold)
    conclusive: list[bool] = []
    expected = "untested"
    falls = 0
    ledger = EndpointLedger(settings, now=0.0)
    for one in sequence:
        changed = ledger.observe(result(one), now=1.0, steady=1.0)
        before = expected
        if one is not None:
            conclusive.append(one)
            needed = healthy_threshold * (1, 1, 1, 2, 4, 8)[min(falls, 5)]
            if expected == "untested" or conclusive[-needed:] == [True] * needed:
                expected = "up" if one else expected
            if before == "untested" or conclusive[-unhealthy_threshold:] == [False] * unhealthy_threshold:
                expected = expected if one else "down"
            falls += (before, expected) == ("up", "down")
        assert ledger.health == expected
        assert changed is (before != expected)


# --- saved and taken up again -----------------------------------------------------------------------------------------


def saved(health: Health = "down", *, at: float = 100.0, **changes: Any) -> EndpointVerdict:
    values: dict[str, Any] = {
        "endpoint": TARGET.endpoint,
        "service": "api",
        "region": "eu",
        "health": health,
        "reason": "connection refused",
        "since": 90.0,
        "failures": 4,
        "rtt_s": 0.08,
        "last": ProbeResult(passed=False, reason="connection refused", at=at, took_s=0.001),
    }
    return EndpointVerdict(**(values | changes))


def test_verdicts_survive_json() -> None:
    verdicts = {TARGET.endpoint: saved(), "b": saved(endpoint="b", last=None, rtt_s=None)}
    assert from_saved(json.loads(json.dumps(to_saved(verdicts)))) == verdicts


def saved_as_json(under: str = TARGET.endpoint, **changes: object) -> dict[str, object]:
    plain = to_saved({under: saved()})[under]
    assert isinstance(plain, dict)
    return {under: plain | changes}


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ([], "Expected `object`, got `array`"),
        ({"a": {"endpoint": "a"}}, "missing required field"),
        (saved_as_json(under="a"), "found under 'a'"),
        (saved_as_json(failures=-1), "counts below 0"),
        (saved_as_json(since=float("nan")), "a time that is none"),
        (saved_as_json(rtt_s=-1.0), "a time that is none"),
        (saved_as_json(health="sideways"), "sideways"),
    ],
)
def test_saved_verdicts_that_are_none_are_refused_with_what_was_found(broken: object, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        from_saved(broken)


def test_a_restored_verdict_goes_on_where_it_was() -> None:
    ledger = EndpointLedger(SETTINGS, now=120.0)
    assert ledger.resume(saved(), now=120.0)
    assert (ledger.health, ledger.reason, ledger.since, ledger.failures) == ("down", "connection refused", 90.0, 4)
    ledger.observe(result(WELL), now=121.0, steady=121.0)
    assert ledger.health == "down"


def test_a_verdict_without_a_probe_for_ten_intervals_is_stale_and_not_taken_up() -> None:
    ledger = EndpointLedger(SETTINGS, now=151.0)
    assert not ledger.resume(saved(), now=151.0)
    assert ledger.health == "untested"


def test_a_verdict_from_the_future_is_taken_up_because_the_wall_clock_was_set_back() -> None:
    assert EndpointLedger(SETTINGS, now=1.0).resume(saved(), now=1.0)


def test_what_was_found_here_is_not_overruled_by_what_was_saved() -> None:
    ledger = ledger_after(WELL)
    assert not ledger.resume(saved(), now=100.0)
    assert ledger.health == "up"


def test_an_untested_verdict_that_was_saved_changes_nothing() -> None:
    ledger = EndpointLedger(SETTINGS, now=100.0)
    assert not ledger.resume(saved("untested", reason="not probed yet", last=None), now=100.0)


def falling(*, times: int, every_s: float, settings: ProbeSettings) -> EndpointLedger:
    """Up, and then so often down and up again as the ledger allows."""
    ledger = EndpointLedger(settings, now=0.0)
    steady = 0.0
    for _ in range(times):
        for passed, health in ((WELL, "up"), (ILL, "down")):
            steady += every_s * (passed is ILL)
            while ledger.health != health:
                ledger.observe(result(passed), now=0.0, steady=steady)
    return ledger


@pytest.mark.parametrize(("falls", "needed"), [(1, 2), (2, 2), (3, 4), (4, 8), (5, 16), (9, 16), (50, 16)])
def test_an_endpoint_that_flaps_must_pass_ever_more_probes_up_to_a_bound(falls: int, needed: int) -> None:
    ledger = falling(times=falls, every_s=10.0, settings=ProbeSettings(healthy_threshold=2))
    steady = falls * 10.0
    for _ in range(needed - 1):
        assert not ledger.observe(result(WELL), now=0.0, steady=steady)
    assert ledger.observe(result(WELL), now=0.0, steady=steady)
    assert ledger.health == "up"


def test_an_endpoint_that_falls_now_and_then_does_not_flap() -> None:
    ledger = falling(times=20, every_s=400.0, settings=ProbeSettings(healthy_threshold=2))
    assert ledger.needed(steady=20 * 400.0) == 2


def test_an_endpoint_that_is_up_and_flaps_is_degraded_until_it_has_been_calm_for_the_window() -> None:
    ledger = falling(times=3, every_s=10.0, settings=ProbeSettings(healthy_threshold=1))
    while ledger.health != "up":
        ledger.observe(result(WELL), now=0.0, steady=31.0)
    assert ledger.verdict(TARGET, rtt_s=0.001, steady=31.0).degraded == "flapping: down 3 times in 10 minutes"
    assert ledger.verdict(TARGET, rtt_s=0.001, steady=700.0).degraded == ""


def test_an_endpoint_that_takes_most_of_its_time_is_degraded_and_still_up() -> None:
    ledger = ledger_after(WELL)
    verdict = ledger.verdict(TARGET, rtt_s=0.6, steady=1.0)
    assert (verdict.health, verdict.degraded) == ("up", "slow: more than 500ms of 1s")
    assert ledger.verdict(TARGET, rtt_s=0.4, steady=1.0).degraded == ""


def test_doubt_is_when_the_last_probe_did_not_say_what_the_verdict_says() -> None:
    assert not ledger_after(WELL).is_in_doubt
    assert ledger_after(WELL, ILL).is_in_doubt
    assert not ledger_after(WELL, ILL, WELL).is_in_doubt
    assert not ledger_after(ILL).is_in_doubt
    assert ledger_after(ILL, WELL).is_in_doubt
