"""What does the outcome of an attempt say about its endpoint?

    begin ──> answered(status) ──┬──> breaker, errors in a row, latency, utilisation
          └─> failed(error) ─────┘    a connection that could not be made: nothing but trial requests from now on
          └─> abandoned               the client left, another copy won: nothing

One attempt is judged at its answer's head; a failure after that (the body stopped coming) counts as well. Runs for
every request: a good answer costs a few comparisons and additions.
"""

from __future__ import annotations

from typing import Final

from gateway.core.book import EndpointBook, EndpointLoad
from gateway.core.gate import Endpoint
from gateway.errors import AnswerTimeout, ConnectFailed, ConnectionLost, UpstreamError

FIRST_TRIAL_S: Final = 1.0
"""After a failed connection; doubled with each failed trial."""
LAST_TRIAL_S: Final = 10.0


class Try:
    """One attempt under way, as far as the book is concerned."""

    __slots__ = ("began_at", "endpoint", "epoch", "is_judged", "is_trial", "load")

    def __init__(self, endpoint: Endpoint, load: EndpointLoad, began_at: float) -> None:
        self.endpoint = endpoint
        self.load = load
        self.began_at = began_at
        self.is_judged = False
        self.epoch = 0
        """Of its endpoint's breaker."""
        self.is_trial = False
        """Whether its endpoint was unreachable when it began."""


def begin(book: EndpointBook, endpoint: Endpoint, now: float) -> Try:
    """A request goes to this endpoint."""
    load = book.loads.get(endpoint.id)
    if load is None:
        load = book.load(endpoint.id)
    load.attempts += 1
    load.in_flight += 1
    attempt = Try(endpoint, load, now)
    breaker = load.breaker
    if breaker is not None:
        attempt.epoch = breaker.epoch if breaker.is_closed else breaker.begin()
    if load.is_unreachable:
        attempt.is_trial = True
        load.trial_at = now + load.trial_after_s
    return attempt


def answered(book: EndpointBook, attempt: Try, status: int, now: float) -> None:
    """The head of its answer is here."""
    load = attempt.load
    attempt.is_judged = True
    load.answers += 1
    if load.is_unreachable:
        load.is_unreachable = False
        book.epoch += 1
    breaker = load.breaker
    if status < 500:
        load.errors_in_row = 0
    else:
        load.errors += 1
        _count_error(book, attempt.endpoint, load, now)
    if breaker is not None:
        policy = breaker.policy
        if policy.counts_status and status in policy.statuses:
            changed = breaker.fail(attempt.epoch, now)
        else:
            changed = breaker.succeed(attempt.epoch, now)
        if changed:
            book.epoch += 1
    latency = load.latency
    if latency is not None:
        if status < 500:
            latency.add(now - attempt.began_at, now)
        else:
            latency.fail(now)


def failed(book: EndpointBook, attempt: Try, error: UpstreamError, now: float) -> None:
    """The endpoint is to blame."""
    load = attempt.load
    load.last_failure_at = now
    if isinstance(error, ConnectFailed):
        load.connect_failures += 1
        _unreachable(book, attempt, now)
    else:
        load.failures += 1
    if isinstance(error, ConnectionLost) and not error.was_request_sent:
        abandoned(attempt)  # an idle connection that its server closed: no sign of anything
        return
    breaker = load.breaker
    if breaker is not None:
        policy = breaker.policy
        if isinstance(error, AnswerTimeout):
            counts = policy.counts_timeout
        elif isinstance(error, ConnectFailed | ConnectionLost):
            counts = policy.counts_connect
        else:
            counts = policy.counts_status and error.status in policy.statuses
        if not counts:
            abandoned(attempt)
        elif breaker.fail(attempt.epoch, now):
            book.epoch += 1
    attempt.is_judged = True
    if load.latency is not None:
        load.latency.fail(now)
    _count_error(book, attempt.endpoint, load, now)


def abandoned(attempt: Try) -> None:
    """It says nothing about its endpoint."""
    if not attempt.is_judged:
        attempt.is_judged = True
        breaker = attempt.load.breaker
        if breaker is not None and not breaker.is_closed:
            breaker.abandon(attempt.epoch)


def report_utilisation(load: EndpointLoad, fields: bytes, now: float) -> None:
    """Take `Tidegate-Load: 0.42` out of an answer's fields; what is not a share from 0 to 10 is ignored."""
    at = fields.lower().find(b"tidegate-load:")
    if at < 0 or (at and fields[at - 1] != 10):
        return
    end = fields.find(b"\r\n", at)
    try:
        value = float(fields[at + 14 : end if end >= 0 else len(fields)])
    except ValueError:
        return
    if 0.0 <= value <= 10.0:
        load.utilisation = value
        load.utilisation_at = now


def _unreachable(book: EndpointBook, attempt: Try, now: float) -> None:
    load = attempt.load
    if not load.is_unreachable:
        load.is_unreachable = True
        load.trial_after_s = FIRST_TRIAL_S
        book.epoch += 1
    elif attempt.is_trial:
        load.trial_after_s = min(LAST_TRIAL_S, load.trial_after_s * 2.0)
    load.trial_at = now + load.trial_after_s


def _count_error(book: EndpointBook, endpoint: Endpoint, load: EndpointLoad, now: float) -> None:
    load.errors_in_row += 1
    outliers = load.outliers
    if outliers is None or load.errors_in_row < outliers.policy.consecutive_errors:
        return
    prefix = endpoint.service + "/"
    elsewhere = sum(
        1
        for name, until in book.ejected.items()
        if until > now and name != endpoint.id and name.startswith(prefix) and outliers.until.get(name, 0.0) <= now
    )
    until = outliers.eject(endpoint.id, of=book.sizes.get(endpoint.service, 1), elsewhere=elsewhere, now=now)
    if until is not None:
        load.ejected_until = until
        load.errors_in_row = 0
        book.epoch += 1
