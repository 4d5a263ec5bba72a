"""Networks and countries: who may come before anything is known of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.models.access import Access
from gateway.core.access import access_rules, unauthorized


def refused(country: str | None = None, address: str = "192.0.2.1", **access: Any) -> str | None:
    rules = access_rules("r", Access.model_validate_json(json.dumps(access)))
    assert rules is not None
    refusal = rules.refuses(address, lambda: country)
    if refusal is None:
        return None
    assert refusal.status == 403
    return refusal.reason


def test_a_route_without_rules_asks_nothing() -> None:
    assert access_rules("r", Access()) is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.1.2.3", None),
        ("10.9.2.3", "address_denied"),
        ("192.0.2.1", "address_denied"),
        ("2001:db8::1", None),
        ("::ffff:10.9.0.1", "address_denied"),
        ("unknown", "address_denied"),
    ],
)
def test_a_denied_network_is_denied_even_inside_an_allowed_one(address: str, reason: str | None) -> None:
    assert refused(address=address, allow=["10.0.0.0/8", "2001:db8::/32"], deny=["10.9.0.0/16"]) == reason


@pytest.mark.parametrize(
    ("country", "countries", "reason"),
    [
        ("KP", {"deny": ["KP"]}, "country_denied"),
        ("IE", {"deny": ["KP"]}, None),
        (None, {"deny": ["KP"]}, None),
        (None, {"deny": ["KP"], "unknown": "deny"}, "country_denied"),
        (None, {"unknown": "deny"}, "country_denied"),
        ("IE", {"allow": ["IE"]}, None),
        ("FR", {"allow": ["IE"]}, "country_denied"),
        (None, {"allow": ["IE"]}, None),
    ],
)
def test_countries_are_allowed_denied_or_unknown(
    country: str | None, countries: dict[str, Any], reason: str | None
) -> None:
    assert refused(country, countries=countries) == reason


def test_a_country_is_not_looked_up_where_no_route_names_one() -> None:
    rules = access_rules("r", Access.model_validate_json('{"deny": ["10.0.0.0/8"]}'))
    assert rules is not None

    def never() -> str | None:
        raise AssertionError

    assert rules.refuses("192.0.2.1", never) is None


def test_a_401_carries_its_challenge() -> None:
    assert unauthorized("credentials_missing", "none", "Basic").fields == (b"WWW-Authenticate: Basic",)
