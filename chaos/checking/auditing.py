"""C13: whatever crossed a border is in the audit log of the node that sent it, once; and so is every refusal.

A record is written for each attempt, before it is known whether it arrives. So what arrived has a record of its own;
and where nothing was broken yet, there is none beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chaos.mesh.plan import FORBIDDEN
from chaos.traffic.history import History

Crossing = tuple[str, str, str]
"""Node, request, destination."""


def crossings(history: History) -> Counter[Crossing]:
    """What reached a backend in another region than the node's that sent it."""
    return Counter(
        (one.node, one.request_id, one.region)
        for one in history.arrivals
        if one.node is not None and one.node != _node(one.region)
    )


def unrecorded(history: History) -> Iterator[str]:
    """What crossed a border without a record of its own."""
    recorded = _recorded(history)
    for crossing, count in crossings(history).items():
        if recorded[crossing] < count:
            node, request, destination = crossing
            yield f"{node} sent {request} to {destination} {count} times and recorded {recorded[crossing]}"


def invented(history: History) -> Iterator[str]:
    """Records of what never arrived, of requests that were answered before the first fault."""
    began = history.fault_span()[0]
    sent = crossings(history)
    early = {one.request_id for one in history.exchanges if one.is_served and one.ended < began}
    for crossing, count in _recorded(history).items():
        if crossing[1] in early and count > sent[crossing]:
            node, request, destination = crossing
            yield f"{node} recorded {request} to {destination} {count} times and sent it {sent[crossing]} times"


def refusals_unrecorded(history: History) -> Iterator[str]:
    """Bound requests that the forbidden region's gateway sent away without exactly one record of it."""
    denied = Counter(one.request_id for one in history.records if one.kind == "denied")
    for one in history.exchanges:
        is_refused = one.route == "bound" and one.region == FORBIDDEN and one.status is not None
        if is_refused and one.request_id and denied[one.request_id] != 1:
            yield f"{one.token} was answered {one.status}, and recorded {denied[one.request_id]} times"


def _recorded(history: History) -> Counter[Crossing]:
    return Counter((one.node, one.request_id, one.destination) for one in history.records if one.kind == "transfer")


def _node(region: str) -> str:
    return f"gw-{region}"
