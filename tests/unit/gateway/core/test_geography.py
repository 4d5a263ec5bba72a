"""Distances on the globe."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.geography import EARTH_RADIUS_KM, Point, distance_km

points = st.builds(
    Point, st.floats(min_value=-90, max_value=90), st.floats(min_value=-180, max_value=180, exclude_min=True)
)


def test_dublin_to_ashburn() -> None:
    assert distance_km(Point(53.35, -6.26), Point(38.95, -77.45)) == pytest.approx(5450, rel=0.01)


def test_across_the_date_line_is_near() -> None:
    assert distance_km(Point(0, 179.5), Point(0, -179.5)) == pytest.approx(111.2, rel=0.01)


@given(points, points)
def test_it_is_the_same_both_ways_and_never_beyond_the_antipode(one: Point, other: Point) -> None:
    there = distance_km(one, other)
    assert there == pytest.approx(distance_km(other, one))
    assert 0 <= there <= math.pi * EARTH_RADIUS_KM + 1e-6
