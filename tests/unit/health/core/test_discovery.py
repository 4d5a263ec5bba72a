"""What is known of one name, on a clock that a test turns."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health.core.discovery import (
    DENIALS_TO_EMPTY,
    MAX_FOUND,
    Answer,
    Bounds,
    Found,
    Name,
    NameLedger,
    with_scaled_weights,
)

NAME = Name("api/eu/api.test:80", "dns", "api.test", 80)
BOUNDS = Bounds(5.0, 300.0)
DENIED = Answer((), 60.0, "no such name")


def at(*hosts: str, ttl_s: float = 60.0, unanswered: tuple[tuple[str, int], ...] = ()) -> Answer:
    found = tuple(Found(0, host, 80, "api.test") for host in hosts)
    return Answer(found, ttl_s, "", frozenset(unanswered))


class Asked:
    """A ledger that hears one answer after another."""

    def __init__(self) -> None:
        self.ledger = NameLedger(NAME, wall=0.0)
        self.rng = random.Random(1)
        self.now = 0.0

    def hear(self, answer: Answer) -> bool:
        return self.ledger.answered(answer, BOUNDS, now=self.now, wall=self.now, rng=self.rng)

    def fail(self) -> None:
        self.ledger.failed("SERVFAIL from 10.0.0.53", BOUNDS, now=self.now, wall=self.now, rng=self.rng)

    def hosts(self) -> list[str]:
        return [found.host for found in self.ledger.found]


def test_the_same_servers_in_another_order_are_no_change() -> None:
    asked = Asked()
    assert asked.hear(at("10.0.0.2", "10.0.0.1"))
    assert not asked.hear(at("10.0.0.1", "10.0.0.2"))
    assert asked.hear(at("10.0.0.1", "10.0.0.3"))
    assert asked.hosts() == ["10.0.0.1", "10.0.0.3"]


def test_a_failure_keeps_the_last_good_answer_and_says_so() -> None:
    asked = Asked()
    asked.hear(at("10.0.0.1"))
    for _ in range(50):
        asked.fail()
    assert asked.hosts() == ["10.0.0.1"]
    assert (asked.ledger.standing, asked.ledger.reason) == ("stale", "SERVFAIL from 10.0.0.53")


def test_a_denial_empties_a_name_only_when_it_was_said_often_enough_in_a_row() -> None:
    asked = Asked()
    asked.hear(at("10.0.0.1"))
    for _ in range(DENIALS_TO_EMPTY - 1):
        assert not asked.hear(DENIED)
        assert asked.ledger.standing == "doubted"
    asked.hear(at("10.0.0.1"))
    for _ in range(DENIALS_TO_EMPTY - 1):
        assert not asked.hear(DENIED)
    assert asked.hosts() == ["10.0.0.1"]
    assert asked.hear(DENIED)
    assert (asked.hosts(), asked.ledger.standing, asked.ledger.reason) == ([], "empty", "no such name")


def test_a_name_that_never_stood_for_anybody_is_empty_at_the_first_denial() -> None:
    asked = Asked()
    assert not asked.hear(DENIED)
    assert asked.ledger.standing == "empty"


def test_a_thousand_servers_are_cut_to_the_same_ones_whatever_their_order() -> None:
    hosts = [f"10.0.{number // 250}.{number % 250}" for number in range(1000)]
    asked = Asked()
    asked.hear(at(*hosts))
    assert len(asked.hosts()) == MAX_FOUND
    assert asked.ledger.reason == "256 servers, 744 more left out: at most 256 are used"
    random.Random(2).shuffle(hosts)
    assert not asked.hear(at(*hosts))


def test_a_question_that_was_not_answered_keeps_its_servers_while_the_others_are_renewed() -> None:
    asked = Asked()
    asked.hear(at("10.0.0.1", "2001:db8::1"))
    asked.hear(at("10.0.0.2", unanswered=(("api.test", 6),)))
    assert asked.hosts() == ["10.0.0.2", "2001:db8::1"]
    asked.hear(at("10.0.0.2"))
    assert asked.hosts() == ["10.0.0.2"]


def test_what_an_earlier_process_knew_stands_until_somebody_answers() -> None:
    ledger = NameLedger(NAME, wall=0.0)
    assert ledger.resume([Found(0, "10.0.0.1", 80, "api.test")], wall=0.0)
    assert ledger.standing == "stale"
    assert not ledger.resume([Found(0, "10.0.0.2", 80, "api.test")], wall=0.0)
    assert [found.host for found in ledger.found] == ["10.0.0.1"]


@given(ttl_s=st.floats(0, 1e9), seed=st.integers(0, 1000))
def test_an_answer_is_kept_within_the_configured_bounds(ttl_s: float, seed: int) -> None:
    ledger = NameLedger(NAME, wall=0.0)
    ledger.answered(at("10.0.0.1", ttl_s=ttl_s), BOUNDS, now=1000.0, wall=0.0, rng=random.Random(seed))
    kept_s = ledger.due - 1000.0
    assert BOUNDS.min_ttl_s <= kept_s <= BOUNDS.max_ttl_s
    if ttl_s > 1.2 * BOUNDS.min_ttl_s:
        assert kept_s <= ttl_s


def test_failures_are_asked_again_ever_more_slowly_and_never_slower_than_the_longest_ttl() -> None:
    asked = Asked()
    waits = []
    for _ in range(12):
        asked.fail()
        waits.append(asked.ledger.due - asked.now)
        asked.now = asked.ledger.due
    assert waits[0] == pytest.approx(5.5, abs=0.5)
    assert waits[3] > waits[0] * 5
    assert max(waits) <= BOUNDS.max_ttl_s * 1.2


def test_refreshes_of_many_names_are_spread() -> None:
    rng = random.Random(3)
    dues = set()
    for _ in range(100):
        ledger = NameLedger(NAME, wall=0.0)
        ledger.answered(at("10.0.0.1"), BOUNDS, now=0.0, wall=0.0, rng=rng)
        dues.add(round(ledger.due))
    assert len(dues) > 8


@given(weights=st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_weights_of_records_keep_their_order_and_become_what_a_configured_weight_can_be(weights: list[int]) -> None:
    found = [Found(0, f"10.0.0.{index}", 80, "t", weight) for index, weight in enumerate(weights)]
    scaled = [one.weight for one in with_scaled_weights(found)]
    assert all(1 <= weight <= 1000 for weight in scaled)
    for (before, scaled_before), (weight, scaled_weight) in pairwise(sorted(zip(weights, scaled, strict=True))):
        assert before <= weight
        assert scaled_before <= scaled_weight


def test_a_name_that_nobody_ever_answered_for_is_unknown_and_not_empty() -> None:
    asked = Asked()
    asked.fail()
    assert (asked.ledger.standing, asked.ledger.is_known) == ("unknown", False)
    asked.hear(DENIED)
    asked.fail()
    assert (asked.ledger.standing, asked.ledger.is_known) == ("empty", True)
