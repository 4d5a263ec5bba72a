"""The distance model agrees with geography and with what people measure."""

from __future__ import annotations

import pytest

from tidegate.demo.distance import (
    BY_REGION,
    WITHIN_REGION_S,
    great_circle_km,
    nearest_first,
    region_of_node,
    round_trip_s,
)


def test_the_great_circle_from_dublin_to_virginia_is_about_5450_km() -> None:
    assert great_circle_km(BY_REGION["eu-west"], BY_REGION["us-east"]) == pytest.approx(5_450, rel=0.01)


@pytest.mark.parametrize(
    ("here", "there", "measured_s"),
    [("eu-west", "us-east", 0.080), ("eu-west", "ap-south", 0.120), ("us-east", "ap-south", 0.190)],
)
def test_a_round_trip_is_close_to_what_is_measured_between_these_cities(
    here: str, there: str, measured_s: float
) -> None:
    assert round_trip_s(here, there) == pytest.approx(measured_s, rel=0.1)


def test_a_round_trip_takes_as_long_from_either_end() -> None:
    assert round_trip_s("us-east", "ap-south") == pytest.approx(round_trip_s("ap-south", "us-east"))


def test_within_a_region_a_round_trip_takes_a_millisecond() -> None:
    assert round_trip_s("eu-west", "eu-west") == WITHIN_REGION_S


def test_a_region_that_is_not_in_the_demo_has_no_distance() -> None:
    with pytest.raises(KeyError):
        round_trip_s("eu-west", "atlantis")


@pytest.mark.parametrize(
    ("node_id", "region"), [("gw-eu-west", "eu-west"), ("eu-west", None), ("gw-atlantis", None), ("", None)]
)
def test_only_a_node_of_the_demo_has_a_region(node_id: str, region: str | None) -> None:
    assert region_of_node(node_id) == region


def test_from_virginia_ireland_is_nearer_than_mumbai() -> None:
    assert nearest_first("us-east") == ("us-east", "eu-west", "ap-south")
