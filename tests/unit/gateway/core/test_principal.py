"""Who a client is."""

from __future__ import annotations

from gateway.core.principal import NOBODY, Principal


def test_nobody_has_no_name_claims_nothing_and_adds_nothing() -> None:
    assert (NOBODY.name, dict(NOBODY.claims), NOBODY.fields) == ("", {}, b"")
    assert Principal("a") != NOBODY
