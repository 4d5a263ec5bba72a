"""What a request's tries leave behind in the book."""

from __future__ import annotations

from gateway.core.book import EndpointBook
from gateway.core.gate import Endpoint
from gateway.errors import ConnectFailed, ConnectionLost
from gateway.proxy.attempts import Attempts


def endpoint(name: str) -> Endpoint:
    return Endpoint(
        id=name,
        service="s",
        region="r",
        host=name,
        port=1,
        weight=1,
        priority=0,
        is_backup=False,
        probe_interval_s=1.0,
        health="up",
        health_reason="",
    )


def test_a_try_is_in_flight_until_it_ends_and_ends_once() -> None:
    book = EndpointBook()
    attempts = Attempts(book)
    attempts.begin(endpoint("a"), now=0.0)
    assert (book.load("a").in_flight, attempts.count, attempts.tried) == (1, 1, {"a"})
    attempts.end("a")
    attempts.end("a")
    assert (book.load("a").in_flight, book.load("a").attempts) == (0, 1)


def test_a_failure_is_booked_by_whether_the_endpoint_had_the_request() -> None:
    book = EndpointBook()
    attempts = Attempts(book)
    for name, error in (("a", ConnectFailed("refused")), ("b", ConnectionLost("reset"))):
        attempts.begin(endpoint(name), now=0.0)
        attempts.fail(name, error, now=5.0)
    assert (book.load("a").connect_failures, book.load("a").failures) == (1, 0)
    assert (book.load("b").connect_failures, book.load("b").failures) == (0, 1)
    assert book.load("a").last_failure_at == 5.0
    assert attempts.failures == [("a", "refused"), ("b", "reset")]
    assert not attempts.running


def test_all_but_the_winner_are_dropped() -> None:
    book = EndpointBook()
    attempts = Attempts(book)
    for name in ("a", "b", "c"):
        attempts.begin(endpoint(name), now=0.0)
    attempts.drop_all_but("b")
    assert set(attempts.running) == {"b"}
    assert [book.load(name).in_flight for name in ("a", "b", "c")] == [0, 1, 0]
