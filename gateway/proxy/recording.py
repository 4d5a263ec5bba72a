"""What is recorded of a request's end: the outcome that counts and log are made from (gateway/proxy/outcome.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.head import RequestHead
from gateway.core.problems import Answer
from gateway.proxy.outcome import Outcome, PassedOver
from gateway.proxy.peer import Peer
from gateway.proxy.ports import Runtime

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange


def outcome_of(exchange: Exchange, reason: str, detail: str, over: PassedOver) -> Outcome:
    """Of a request that was to be forwarded; `over` says why nobody could serve it, where that is so."""
    client, head, endpoint = exchange.client, exchange.head, exchange.endpoint
    tunnel = exchange.tunnel
    return Outcome(
        listener=client.listener,
        client_ip=client.peer.client_ip,
        request_id=exchange.request_id,
        method=head.method,
        host=head.host,
        path=head.path,
        status=exchange.status,
        reason=reason,
        detail=detail,
        route=exchange.forward.route.id,
        region=endpoint.region if endpoint else "",
        endpoint=endpoint.id if endpoint else "",
        attempts=exchange.attempts.count,
        started_at=exchange.started_at,
        bytes_in=exchange.bytes_in if tunnel is None else tunnel.bytes_in,
        bytes_out=exchange.bytes_out if tunnel is None else tunnel.bytes_out,
        passed_over=over,
        failures=tuple(exchange.attempts.failures),
        mirror=exchange.mirror_copy.told if exchange.mirror_copy is not None else "",
        session=exchange.session.sentence if exchange.session is not None else "",
        waited_s=exchange.waiting.waited_s if exchange.waiting is not None else 0.0,
    )


def record_here(
    runtime: Runtime,
    answer: Answer,
    *,
    listener: str,
    peer: Peer,
    request_id: bytes,
    started_at: float,
    head: RequestHead | None = None,
    route: str = "",
) -> None:
    """Record the end of a request that went nowhere; without a `head`, there was none that could be read."""
    outcome = Outcome(
        listener=listener,
        client_ip=peer.client_ip,
        request_id=request_id,
        started_at=started_at,
        status=answer.status,
        reason=answer.reason,
        detail=answer.detail,
        route=route,
    )
    if head is not None:
        outcome.method, outcome.host, outcome.path = head.method, head.host, head.path
    runtime.record(outcome)
    if runtime.tracer is not None:
        runtime.tracer.refuse(outcome, head, peer)
