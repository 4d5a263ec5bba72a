"""An answer of the gateway's own: decorated by its route, with the explanation where one was asked for, on record."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.audit import denial
from gateway.core.decision import Refusal
from gateway.core.head import RequestHead
from gateway.core.plans import RoutePlan
from gateway.core.problems import Answer, problem_response
from gateway.proxy.explaining import Explaining
from gateway.proxy.ports import Runtime


def written(
    runtime: Runtime,
    answer: Answer,
    head: RequestHead,
    *,
    request_id: bytes,
    close: bool,
    route: RoutePlan | None,
    explaining: Explaining | None,
) -> bytes:
    """What goes to the client. `route` is whose fields decorate it; `close`: the connection cannot go on after it."""
    if route is not None and route.shaping is not None:
        answer = route.shaping.decorate(answer, head)
    if explaining is not None:
        answer = replace(answer, fields=(*answer.fields, explaining.line))
    return problem_response(
        answer,
        node_id=runtime.node_id,
        request_id=request_id,
        close=close or not head.keep_alive or runtime.is_draining,
        head_only=head.method == "HEAD",
    )


def audit_refusal(runtime: Runtime, refusal: Refusal, request_id: bytes) -> None:
    """On an audited route, what a rule of residency has refused is kept."""
    route, snapshot = refusal.route, runtime.snapshot
    if route is not None and route.is_audited and refusal.answer.rule is not None and snapshot is not None:
        runtime.audit(denial(route, snapshot.routing.region, refusal.answer, request_id))
