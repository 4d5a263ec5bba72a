"""Who sends an imagined request."""

from __future__ import annotations

import pytest

from gateway.core.head import parse_request_head
from gateway.core.origin import Trust
from gateway.core.senders import Sender, Senders

PROXY, CLIENT = "10.0.0.1", "8.8.8.8"
SENDERS = Senders({"public": Trust(["10.0.0.0/8"]), "inside": Trust([])}, "CF-IPCountry")


def sender(*lines: str, address: str = PROXY, listener: str = "public", senders: Senders = SENDERS) -> Sender:
    raw = "\r\n".join(("GET / HTTP/1.1", "Host: h", *lines, "", "")).encode("latin-1")
    return senders.sender(parse_request_head(raw), address, listener, lambda ip: "US" if ip == CLIENT else None)


def test_a_trusted_proxy_names_the_client_and_its_country() -> None:
    found = sender(f"X-Forwarded-For: {CLIENT}", "cf-ipcountry: de")
    assert found == Sender(CLIENT, "DE", "CF-IPCountry")


@pytest.mark.parametrize("lines", [(), ("CF-IPCountry: XX",), ("CF-IPCountry: DE", "CF-IPCountry: DE")])
def test_where_its_word_is_of_no_use_the_address_decides(lines: tuple[str, ...]) -> None:
    assert sender(f"X-Forwarded-For: {CLIENT}", *lines) == Sender(CLIENT, "US", "address")


def test_nobody_else_is_believed() -> None:
    lines = ("X-Forwarded-For: 1.2.3.4", "CF-IPCountry: DE")
    assert sender(*lines, address=CLIENT) == Sender(CLIENT, "US", "address")
    assert sender(*lines, listener="inside") == Sender(PROXY, None, "address")


def test_a_header_that_is_not_configured_says_nothing() -> None:
    plain = Senders(SENDERS.trust, None)
    assert sender("CF-IPCountry: DE", senders=plain) == Sender(PROXY, None, "address")


def test_an_unnamed_listener_is_the_first_one() -> None:
    assert sender("CF-IPCountry: DE", listener="other").country == "DE"
