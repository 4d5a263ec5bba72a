"""What is learnt outlives what is configured, until it is of no use."""

from __future__ import annotations

from gateway.core.book import EndpointBook


def test_the_same_endpoint_is_the_same_entry() -> None:
    book = EndpointBook()
    book.load("a").attempts = 3
    assert book.load("a").attempts == 3
    assert book.load("b").attempts == 0
    assert book.rotation("s/r") is book.rotation("s/r")


def test_only_idle_endpoints_that_nobody_names_are_struck_out() -> None:
    book = EndpointBook()
    for name in ("kept", "busy", "gone"):
        book.load(name)
    book.load("busy").in_flight = 1
    assert book.forget_all_but({"kept"}) == ["gone"]
    assert set(book.loads) == {"kept", "busy"}
