"""One region's verdict, from how many of its endpoints are up."""

from __future__ import annotations

import pytest

from health.core.region import CHANGES_KEPT, FLAP_WINDOW_S, RegionHealth, RegionLedger, judge


@pytest.mark.parametrize(
    ("up", "down", "untested", "health", "sentence"),
    [
        (4, 0, 0, "up", "4 of 4 endpoints up"),
        (2, 2, 0, "up", "2 of 4 endpoints up"),
        (1, 3, 0, "degraded", "1 of 4 endpoints up, expected at least 30%"),
        (0, 4, 0, "down", "0 of 4 endpoints up"),
        (0, 1, 0, "down", "0 of 1 endpoint up"),
        (0, 3, 1, "untested", "0 of 4 endpoints up, 1 untested"),
        (0, 0, 2, "untested", "0 of 2 endpoints up, 2 untested"),
        (1, 0, 9, "up", "1 of 10 endpoints up, 9 untested"),
        (1, 3, 9, "degraded", "1 of 13 endpoints up, 9 untested, expected at least 30%"),
        (3, 7, 0, "up", "3 of 10 endpoints up"),
        (0, 0, 0, "untested", "0 of 0 endpoints up"),
    ],
)
def test_a_region_is_judged_by_the_share_of_its_tested_endpoints_that_are_up(
    up: int, down: int, untested: int, health: RegionHealth, sentence: str
) -> None:
    assert judge(up=up, down=down, untested=untested, minimum_capacity=0.3) == (health, sentence)


def region_of(endpoints: int) -> RegionLedger:
    region = RegionLedger("eu", now=5.0)
    region.minimum_capacity = 0.3
    for _ in range(endpoints):
        region.move(None, "untested")
    return region


def test_a_region_says_since_when_it_is_what_it_is_and_what_it_is_now() -> None:
    region = region_of(2)
    region.move("untested", "up")
    assert region.settle(now=6.0, steady=1.0)
    region.move("untested", "up")
    assert not region.settle(now=7.0, steady=2.0)
    verdict = region.verdict(steady=2.0)
    assert (verdict.health, verdict.since, verdict.healthy, verdict.total) == ("up", 6.0, 2, 2)
    assert verdict.reason == "2 of 2 endpoints up"


def test_a_region_that_comes_and_goes_is_seen_to_flap_for_ten_minutes() -> None:
    region = region_of(1)
    region.move("untested", "up")
    region.settle(now=0.0, steady=0.0)
    assert region.verdict(steady=0.0).changes == 0
    region.move("up", "down")
    region.settle(now=1.0, steady=1.0)
    region.move("down", "up")
    region.settle(now=2.0, steady=2.0)
    assert region.verdict(steady=2.0).changes == 2
    assert [change.health for change in region.changes] == ["up", "down", "up"]
    assert region.verdict(steady=FLAP_WINDOW_S + 1.5).changes == 1
    assert region.verdict(steady=FLAP_WINDOW_S + 2.5).changes == 0


def test_what_is_kept_of_changes_is_bounded() -> None:
    region = region_of(1)
    region.move("untested", "up")
    for number in range(CHANGES_KEPT * 2):
        region.settle(now=0.0, steady=0.0)
        region.move(*(("up", "down") if number % 2 == 0 else ("down", "up")))
    assert len(region.changes) == CHANGES_KEPT
    assert region.verdict(steady=0.0).changes == CHANGES_KEPT


def test_a_region_that_all_endpoints_left_is_empty() -> None:
    region = region_of(1)
    region.move("untested", "up")
    assert not region.is_empty
    region.move("up", None)
    assert region.is_empty
