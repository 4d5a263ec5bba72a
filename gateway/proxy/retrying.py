"""Is this request sent once more: after a failure, instead of an answer, or beside one that does not come?

    an attempt failed ──┬─ safe, allowed, within the budget ──> the next endpoint
                        │     every one was tried ────────────> from the first again, after a back-off
                        └─ else ──────────────────────────────> the failure is the answer
    a status to retry ──┬─ the same three ────────────────────> its answer is dropped: `is_worth_another`
                        └─ else ──────────────────────────────> the client gets it
    no answer yet ────────── after `hedge_after` ─────────────> a second copy elsewhere; the first answer wins

What is safe is the policy's (gateway/core/retries.py). Nothing here is asked once a byte of an answer has gone to the
client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.decision import failed_everywhere
from gateway.core.problems import answer_to
from gateway.errors import ConnectFailed, DrainCut, UpstreamError

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange


def after_failure(exchange: Exchange, error: UpstreamError) -> None:
    """No attempt is under way any more, and the last one ended in `error`."""
    if (
        _may_send_again(exchange, error)
        and exchange.forward.service.retries.allows_error(
            error, method=exchange.head.method, retries_done=exchange.attempts.count - 1
        )
        and _take_from_budget(exchange)
    ):
        retry(exchange, error)
    else:
        exchange.give_up(failed_everywhere(exchange.forward, error))


def is_worth_another(exchange: Exchange, status: int) -> bool:
    """Whether an answer with a status to retry is dropped. Where another copy is under way, that is the retry."""
    return (
        _is_whole(exchange)
        and exchange.forward.service.retries.allows_status(
            status, method=exchange.head.method, retries_done=exchange.attempts.count - 1
        )
        and (len(exchange.attempts.running) > 1 or _take_from_budget(exchange))
    )


def retry(exchange: Exchange, error: UpstreamError | None = None) -> None:
    """The next attempt; `error` is what the last one ended in, unless its answer was dropped."""
    if exchange.has_whole_request:
        exchange.replay.rewind()
    upcoming = exchange.next_endpoint()
    if upcoming is not None:
        exchange.attempt(upcoming)
        return
    if isinstance(error, DrainCut):
        exchange.give_up(answer_to(error))  # where it was must not get it again
        return
    # Every eligible endpoint has been tried: again from the first, but not at once.
    exchange.attempts.tried.clear()
    delay_s = exchange.forward.service.retries.backoff_s(exchange.attempts.count - 1, exchange.runtime.rng)
    exchange.runtime.loop.call_later(delay_s, exchange.attempt_unless_over)


def hedge_after_s(exchange: Exchange) -> float | None:
    """How long the first attempt has before a second copy goes elsewhere; None where none may."""
    service = exchange.forward.service
    if exchange.head.method not in service.retries.methods:
        return None
    return exchange.lane.durations.quantile(0.95) if service.hedges_at_p95 else service.hedge_after_s


def hedge(exchange: Exchange) -> None:
    """No answer yet: send a second copy to another endpoint."""
    if exchange.is_over or exchange.status or len(exchange.attempts.running) != 1:
        return
    if not _is_whole(exchange):
        return
    if exchange.session is not None and exchange.session.is_kept:
        return
    endpoint = exchange.next_endpoint()
    if endpoint is not None and _take_from_budget(exchange):
        exchange.replay.rewind()
        exchange.attempt(endpoint)


def _may_send_again(exchange: Exchange, error: UpstreamError) -> bool:
    if isinstance(error, ConnectFailed):
        return True  # nothing was sent: what has come of the body still waits
    return _is_whole(exchange)


def _is_whole(exchange: Exchange) -> bool:
    """Whether all of the request is here, and could be sent again."""
    return exchange.has_whole_request and exchange.replay.is_whole


def _take_from_budget(exchange: Exchange) -> bool:
    return exchange.lane.budget.take(exchange.forward.service.retries, now=exchange.runtime.now())
