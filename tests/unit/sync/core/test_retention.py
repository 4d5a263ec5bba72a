"""Nothing is forgotten before everybody has it and was compared; silence only ends the waiting."""

from __future__ import annotations

from sync.core.retention import Eviction, Retention, Silence, evictions, held_up

A, B = "eu:aaaa.life1", "us:bbbb.life1"
US, AP = "us:bbbb", "ap:cccc"


def test_the_cut_is_what_every_member_has_confirmed_and_was_compared_on() -> None:
    everything = {A: 9, B: 9}
    assert Retention().cut(everything, {US: {A: 5}, AP: {A: 7}}, {US: everything, AP: everything}) == {A: 5}
    assert Retention().cut(everything, {US: {A: 5}}, {US: {A: 2}}) == {A: 2}
    assert Retention().cut(everything, {US: {A: 5}}, {}) == {}
    assert Retention().cut(everything, {}, {}) == everything


def test_it_waits_until_what_others_had_then_has_arrived() -> None:
    retention = Retention()
    compared = {US: {A: 9, B: 9}}
    assert retention.cut({A: 5, B: 1}, {US: {A: 5, B: 3}}, compared) == {}
    assert retention.cut({A: 6, B: 2}, {US: {A: 6, B: 4}}, compared) == {}
    assert retention.cut({A: 6, B: 3}, {US: {A: 6, B: 4}}, compared) == {A: 5, B: 1}


def test_what_a_restored_store_no_longer_has_is_not_awaited() -> None:
    retention = Retention()
    compared = {US: {A: 9, B: 9}}
    assert retention.cut({A: 5, B: 1}, {US: {A: 5, B: 7}}, compared) == {}
    assert retention.cut({A: 5, B: 2}, {US: {A: 5, B: 2}}, compared) == {A: 5, B: 1}


def test_a_member_that_comes_back_with_less_holds_it_back() -> None:
    retention = Retention()
    assert retention.cut({A: 5}, {}, {}) == {A: 5}
    assert retention.cut({A: 6}, {US: {A: 2}}, {US: {A: 6}}) == {A: 2}


def test_the_silent_are_evicted_and_nobody_else() -> None:
    silences = [Silence(US, 100.0, 3), Silence(AP, 99.0, 9)]
    found = evictions(silences, evict_after_s=100.0, log_bytes_held_up={}, max_log=10.0)
    assert found == [Eviction(US, "silent")]


def test_for_the_size_of_the_log_only_those_go_that_hold_it_up_and_do_not_answer() -> None:
    silences = [Silence(US, 61.0, 3), Silence(AP, 1.0, 9), Silence("sa:dddd", 61.0, 0)]
    weights = {US: 11.0, AP: 50.0, "sa:dddd": 0.0}
    found = evictions(silences, evict_after_s=1000.0, log_bytes_held_up=weights, max_log=10.0)
    assert found == [Eviction(US, "log_too_large")]
    assert evictions(silences, evict_after_s=1000.0, log_bytes_held_up=weights, max_log=60.0) == []


def test_what_a_member_holds_up_is_counted_in_operations() -> None:
    assert held_up({A: 5, B: 2}, {A: 3, B: 9}) == 2
