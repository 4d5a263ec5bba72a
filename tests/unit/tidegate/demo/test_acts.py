"""What the acts about traffic take for granted. The acts themselves are played on real processes by `make test`."""

from __future__ import annotations

from tidegate.demo.acts import HOME
from tidegate.demo.distance import BY_REGION


def test_home_is_every_region_of_the_demo() -> None:
    assert {place: place for place in BY_REGION} == HOME
