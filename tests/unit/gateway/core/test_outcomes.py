"""What an attempt's end says about its endpoint, and what it does not."""

from __future__ import annotations

import pytest

from gateway.core import outcomes
from gateway.core.book import EndpointBook, EndpointLoad
from gateway.core.breaker import BreakerPolicy
from gateway.core.gate import Endpoint
from gateway.errors import AnswerRefused, AnswerTimeout, ConnectFailed, ConnectionLost, UpstreamError

ONE = Endpoint(
    "api/eu/a", "api", "eu", "a", 80, 1, 0, is_backup=False, probe_interval_s=5, health="up", health_reason=""
)


def book_with(counts: str, *, takes_latency: bool = False) -> EndpointBook:
    policy = BreakerPolicy(
        "consecutive",
        0.5,
        1,
        1,
        10.0,
        5.0,
        1,
        counts_status="status" in counts,
        counts_timeout="timeout" in counts,
        counts_connect="connect" in counts,
        statuses=frozenset({502}),
    )
    book = EndpointBook()
    book.adopt("api", [ONE.id], breaker=policy, outliers=None, takes_latency=takes_latency, now=0.0)
    return book


def is_open_after(book: EndpointBook, error: UpstreamError) -> bool:
    outcomes.failed(book, outcomes.begin(book, ONE, 0.0), error, 0.0)
    breaker = book.load(ONE.id).breaker
    assert breaker is not None
    return not breaker.is_closed


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectFailed("refused"), "connect"),
        (ConnectionLost("reset"), "connect"),
        (AnswerTimeout("late"), "timeout"),
        (AnswerRefused("nonsense"), "status"),
    ],
)
def test_a_failure_counts_only_where_its_kind_is_one(error: UpstreamError, kind: str) -> None:
    assert is_open_after(book_with(kind), error)
    others = {"connect", "timeout", "status"} - {kind}
    assert not is_open_after(book_with(" ".join(others)), error)


def test_an_idle_connection_that_its_server_closed_is_no_sign_of_anything() -> None:
    book = book_with("connect")
    assert not is_open_after(book, ConnectionLost("closed", was_request_sent=False))
    assert book.load(ONE.id).errors_in_row == 0


def test_a_failing_status_is_one_that_the_policy_names() -> None:
    for status, opens in ((502, True), (500, False), (200, False)):
        book = book_with("status")
        outcomes.answered(book, outcomes.begin(book, ONE, 0.0), status, 0.0)
        breaker = book.load(ONE.id).breaker
        assert breaker is not None
        assert breaker.is_closed != opens


def test_latency_is_taken_from_the_attempts_begin_to_its_head_and_errors_are_slow() -> None:
    book = book_with("", takes_latency=True)
    latency = book.load(ONE.id).latency
    assert latency is not None
    outcomes.answered(book, outcomes.begin(book, ONE, 1.0), 200, 1.5)
    assert latency.read(1.5) == 0.5
    outcomes.answered(book, outcomes.begin(book, ONE, 2.0), 500, 2.001)
    assert latency.read(2.001) == 5.0


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (b"Server: a\r\nTidegate-Load: 0.42\r\n", 0.42),
        (b"tidegate-load:0.5\r\n", 0.5),
        (b"X-Tidegate-Load: 0.9\r\n", None),
        (b"Tidegate-Load: nonsense\r\n", None),
        (b"Tidegate-Load: nan\r\n", None),
        (b"Tidegate-Load: -1\r\n", None),
        (b"Tidegate-Load: 1e9\r\n", None),
        (b"", None),
    ],
)
def test_a_reported_load_is_a_share_or_ignored(fields: bytes, found: float | None) -> None:
    load = EndpointLoad()
    outcomes.report_utilisation(load, fields, 3.0)
    assert (load.utilisation if load.utilisation_at is not None else None) == found
