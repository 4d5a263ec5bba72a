"""The table of countries."""

from __future__ import annotations

from gateway.core.countries import COUNTRIES
from gateway.core.geography import distance_km


def test_every_entry_is_a_code_and_a_place_on_the_globe() -> None:
    assert len(COUNTRIES) == 250
    for code, point in COUNTRIES.items():
        assert len(code) == 2, code
        assert code.isupper(), code
        assert -90 <= point.latitude <= 90, code
        assert -180 <= point.longitude <= 180, code


def test_neighbours_are_near_each_other_and_antipodes_far() -> None:
    for one, other in [("DE", "PL"), ("ES", "PT"), ("IN", "LK"), ("CA", "US"), ("AU", "NZ"), ("KE", "TZ")]:
        assert distance_km(COUNTRIES[one], COUNTRIES[other]) < 3000, (one, other)
    for one, other in [("ES", "NZ"), ("US", "IN"), ("CL", "CN")]:
        assert distance_km(COUNTRIES[one], COUNTRIES[other]) > 10000, (one, other)
