"""What does the audit log keep of a request whose data is bound? One record for each refusal and each border crossed.

    denied     residency stood in the way, and its rule is named: here, or because nothing allowed was alive
    transfer   an attempt in another region, by the rule or the agreement that permits it, one for each attempt

Only what is needed to answer "what went where, and why": no path, no header, no address of a client.
"""

from __future__ import annotations

from gateway.core.gate import Endpoint
from gateway.core.plans import RoutePlan
from gateway.core.problems import Answer

Record = dict[str, object]


def transfer(route: RoutePlan, source: str, endpoint: Endpoint, request_id: bytes) -> Record:
    return {
        "kind": "transfer",
        "route": route.id,
        "data_types": list(route.data_types),
        "source": source,
        "destination": endpoint.region,
        "rule": route.permits.get(endpoint.region, ""),
        "request_id": request_id.decode(),
    }


def denial(route: RoutePlan, source: str, answer: Answer, request_id: bytes) -> Record:
    return {
        "kind": "denied",
        "route": route.id,
        "data_types": list(route.data_types),
        "source": source,
        "rule": answer.rule or "",
        "reason": answer.reason,
        "status": answer.status,
        "request_id": request_id.decode(),
    }
