"""Countries as databases and CDNs write them."""

from __future__ import annotations

import pytest

from config.core.country_record import country_in, country_of_code


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
