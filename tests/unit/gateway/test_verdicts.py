"""What is known of endpoints from one publication to the next."""

from __future__ import annotations

from typing import Any

from gateway.messages import EndpointState, OperatorState, Publication, ResolvedEndpoint
from gateway.verdicts import Verdicts

DOWN = EndpointState("down", "connection refused")


def said(**fields: Any) -> Publication:
    return Publication(version=1, config_digest="d", **{"endpoints": {}, "resolved": {}, "operator": {}, **fields})


def test_each_publication_replaces_what_was_said_before() -> None:
    verdicts = Verdicts(now=0.0)
    order = OperatorState(share=0.5)
    verdicts.hear(said(endpoints={"a": DOWN}, operator={"a": order}), names=(), now=1.0)
    assert (verdicts.states, verdicts.orders) == ({"a": DOWN}, {"a": order})
    verdicts.hear(said(), names=(), now=2.0)
    assert (verdicts.states, verdicts.orders) == ({}, {})


def test_they_are_as_old_as_their_last_confirmation() -> None:
    verdicts = Verdicts(now=5.0)
    assert verdicts.age_s(7.0) == 2.0
    verdicts.hear(said(), names=(), now=8.0)
    assert verdicts.age_s(9.0) == 1.0
    verdicts.confirm(10.0)
    assert verdicts.age_s(10.0) == 0.0


def test_an_endpoint_whose_trial_passed_is_not_down_until_somebody_says_so_again() -> None:
    verdicts = Verdicts(now=0.0)
    verdicts.hear(said(endpoints={"a": DOWN, "b": DOWN}), names=(), now=0.0)
    assert verdicts.pass_trial("a")
    assert not verdicts.pass_trial("a")
    assert (verdicts.states["a"].health, verdicts.states["b"]) == ("untested", DOWN)
    verdicts.hear(said(endpoints={"a": DOWN}), names=(), now=1.0)
    assert verdicts.states == {"a": DOWN}
    assert verdicts.pass_trial("a")


def test_a_name_keeps_whom_it_stood_for_as_long_as_it_is_configured_and_nobody_denies_it() -> None:
    verdicts = Verdicts(now=0.0)
    found = (ResolvedEndpoint("192.0.2.1", 80, "api.test"),)
    verdicts.hear(said(resolved={"n": found, "gone": found}), names={"n", "gone"}, now=0.0)
    verdicts.hear(said(), names={"n"}, now=1.0)
    assert verdicts.resolved == {"n": found}
    verdicts.hear(said(resolved={"n": ()}), names={"n"}, now=2.0)
    assert verdicts.resolved == {"n": ()}
