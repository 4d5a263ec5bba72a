"""Countries as databases and CDNs write them."""

from __future__ import annotations

import pytest

from config.core.country_record import coordinates_in, country_in, country_of_code


@pytest.mark.parametrize(
    ("record", "country"),
    [
        ({"country": {"iso_code": "DE", "names": {}}}, "DE"),
        ({"country_code": "ie"}, "IE"),
        ({"country": "US"}, "US"),
        ({"country": "United States", "country_code": "US"}, "US"),
        ({"country": {}}, None),
        ({"registered_country": {"iso_code": "DE"}}, None),
        ({"autonomous_system_number": 64496}, None),
        ({"country": {"iso_code": 49}}, None),
        ("DE", None),
        (None, None),
    ],
)
def test_records_of_several_makers_are_read(record: object, country: str | None) -> None:
    assert country_in(record) == country


@pytest.mark.parametrize("code", ["", "D", "DEU", "T1", "XX", "ZZ", "EU", "ÄÖ", "D\n", None, 7, b"DE"])
def test_what_is_no_code_is_no_country(code: object) -> None:
    assert country_of_code(code) is None


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"location": {"latitude": 53.3, "longitude": -6.2, "accuracy_radius": 5}}, (53.3, -6.2)),
        ({"latitude": "53.3", "longitude": "-6.2"}, (53.3, -6.2)),
        ({"location": {"latitude": 0, "longitude": 180}}, (0.0, 180.0)),
        ({"location": {"latitude": 53.3}}, None),
        ({"location": "53.3,-6.2"}, None),
        ({"location": {"latitude": 90.1, "longitude": 0.0}}, None),
        ({"location": {"latitude": 0.0, "longitude": -181.0}}, None),
        ({"location": {"latitude": float("nan"), "longitude": 0.0}}, None),
        ({"location": {"latitude": "north", "longitude": 0.0}}, None),
        ({"location": {"latitude": True, "longitude": 0.0}}, None),
        ({"location": {"latitude": 10**400, "longitude": 0.0}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_coordinates_are_read_where_they_are_on_earth(record: object, place: tuple[float, float] | None) -> None:
    assert coordinates_in(record) == place
