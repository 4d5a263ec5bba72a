"""Counts are deltas, and their keys are bounded."""

from __future__ import annotations

from gateway.core.book import EndpointBook
from gateway.counts import Counts
from gateway.messages import DURATION_BUCKETS_S


def test_requests_are_counted_by_what_they_had_in_common() -> None:
    counts = Counts()
    for duration_s in (0.0005, 0.001, 0.003, 60.0):
        counts.add("r", "eu", 200, "", duration_s)
    counts.add("r", "eu", 503, "", 0.1)
    plain, failed = counts.take_routes()
    assert (plain.route, plain.region, plain.status, plain.count) == ("r", "eu", 200, 4)
    assert plain.total_s == 0.0005 + 0.001 + 0.003 + 60.0
    assert plain.buckets[0] == 2, "a bucket holds what is at most its bound"
    assert plain.buckets[2] == 1
    assert plain.buckets[len(DURATION_BUCKETS_S)] == 1, "the last holds what is above all"
    assert (failed.status, failed.count) == (503, 1)
    assert counts.take_routes() == []


def test_endpoints_are_reported_when_something_happened_to_them() -> None:
    counts, book = Counts(), EndpointBook()
    load = book.load("a")
    book.load("quiet")
    load.attempts, load.connect_failures, load.in_flight = 3, 1, 1
    (first,) = counts.take_endpoints(book, 0.0)
    assert (first.endpoint, first.attempts, first.connect_failures, first.in_flight) == ("a", 3, 1, 1)
    load.attempts, load.in_flight = 4, 0
    (second,) = counts.take_endpoints(book, 0.0)
    assert (second.attempts, second.connect_failures) == (1, 0)
    assert counts.take_endpoints(book, 0.0) == []


def test_an_endpoint_that_comes_back_after_it_was_forgotten_starts_anew() -> None:
    counts, book = Counts(), EndpointBook()
    book.load("a").attempts = 5
    counts.take_endpoints(book, 0.0)
    counts.forget(book.forget_all_but(()))
    book.load("a").attempts = 2
    assert counts.take_endpoints(book, 0.0)[0].attempts == 2
