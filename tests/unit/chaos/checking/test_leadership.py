"""Who leads, as it looks from outside."""

from __future__ import annotations

import pytest

from chaos.checking import leadership
from chaos.traffic.history import Claim, History


def look(at: float, node: str, epoch: int | None) -> Claim:
    return Claim(at - 0.1, at, node, epoch)


def history(*claims: Claim) -> History:
    found = History()
    found.claims = [*claims]
    return found


def test_one_after_the_other_is_well() -> None:
    found = history(look(1, "a", 1), look(1, "b", None), look(2, "a", 1), look(3, "a", None), look(3, "b", 2))
    assert [*leadership.two_leaders(found)] == []
    assert [*leadership.epochs_back(found)] == []


def test_two_leaders_of_one_epoch_are_seen() -> None:
    found = history(look(1, "a", 1), look(2, "b", 1))
    assert [*leadership.two_leaders(found)] == ["epoch 1 is led by a and by b"]


def test_two_leaders_at_once_are_seen_although_each_has_an_epoch_of_its_own() -> None:
    found = history(look(1, "a", 1), look(2, "b", 2), look(3, "a", 1))
    assert [*leadership.two_leaders(found)] == ["b leads in epoch 2 while a leads in epoch 1"]


def test_who_leads_in_an_older_epoch_than_was_led_in_before_is_seen() -> None:
    found = history(look(1, "a", 2), look(2, "b", 1))
    assert [*leadership.epochs_back(found)] == ["b leads in epoch 1, after epoch 2"]


def test_the_time_without_a_leader_ends_with_the_next_that_says_so() -> None:
    found = history(look(0, "a", 1), look(5, "b", None), look(9, "b", 2), look(10, "b", 2))
    assert leadership.longest_without(found) == pytest.approx(9.0)
    assert leadership.longest_without(history()) == 0.0
