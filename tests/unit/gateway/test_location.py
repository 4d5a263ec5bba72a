"""Countries of addresses."""

from __future__ import annotations

import pytest

from gateway.location import registered_country


def test_a_public_address_has_the_country_of_its_registration() -> None:
    assert registered_country("81.2.69.142") == "GB"
    assert registered_country("8.8.8.8") == "US"
    assert registered_country("::ffff:8.8.8.8") == "US"


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "192.168.1.1",
        "169.254.1.1",
        "203.0.113.5",
        "::1",
        "fe80::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "",
        "nonsense",
    ],
)
def test_reserved_addresses_and_nonsense_have_none(address: str) -> None:
    assert registered_country(address) is None
