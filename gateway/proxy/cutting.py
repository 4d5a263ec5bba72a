"""What becomes of a request when a drain's deadline has passed at its endpoint, or the node stops?

    a WebSocket ───────────────────────────> a Close frame to both (gateway/proxy/tunnel.py)
    an event stream that has begun ────────> its regular end: whoever reads events asks again
    any other, the node stops ─────────────> refused, or cut off where its answer has begun
    any other, its endpoint is drained ────> tried elsewhere where that is safe, else the same

Decision 0047 says why each protocol gets its own end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import reasons
from gateway.core.frames import Cut
from gateway.core.problems import answer_to
from gateway.errors import DrainCut

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange


def cut(exchange: Exchange, cut: Cut) -> None:
    """Wait no longer for what this request has under way where the cut covers it."""
    endpoint = exchange.endpoint
    if exchange.is_over or endpoint is None:
        return
    if exchange.tunnel is not None:
        if cut.covers(endpoint.id):
            exchange.tunnel.cut(cut)
    elif exchange.is_event_stream_open:
        if cut.covers(endpoint.id):
            exchange.end_stream(reasons.DRAIN_DEADLINE, cut.detail)
    elif cut.endpoints is None:
        exchange.refuse(answer_to(DrainCut(cut.detail)))
    else:
        for name in [name for name in exchange.attempts.running if cut.covers(name)]:
            _cut_attempt(exchange, name, cut.detail)


def _cut_attempt(exchange: Exchange, endpoint_id: str, detail: str) -> None:
    """One that is still being connected goes on: it ends as it would have."""
    attempts = exchange.attempts
    connection = attempts.running[endpoint_id]
    if connection is not None and not exchange.is_over:
        attempts.end(endpoint_id)
        attempts.failures.append((endpoint_id, detail))
        connection.close()
        exchange.after_failure(DrainCut(detail))
