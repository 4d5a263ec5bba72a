"""Requests between gateways: what this one signs when it forwards, and what it believes of those forwarded to it.

forwarded   line(...)  ──> `Tidegate-Hop: ...`, anew for each attempt
received    take(...)  ──> Hop: decided by the other gateway       (gateway/core/hops.py)
                      └──> Answer: 403, whatever else it asks for
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from gateway.core.decision import hop_refused
from gateway.core.gate import Endpoint
from gateway.core.head import RequestHead
from gateway.core.hops import NAME, Hop, HopLedger, bound_to, field_line
from gateway.core.plans import RoutePlan
from gateway.core.problems import Answer
from gateway.core.snapshot import RoutingSnapshot
from gateway.proxy.peer import Peer
from gateway.seen import Seen

FIELD_START: Final = b"\r\n" + NAME + b":"


class Hops:
    """One data plane's."""

    def __init__(self, *, node_id: str, wall: Callable[[], float], rng: random.Random, seen: Seen) -> None:
        self._node_id = node_id
        self._wall = wall
        self._rng = rng
        self._ledger = HopLedger(seen)

    def line(
        self,
        snapshot: RoutingSnapshot,
        route: RoutePlan,
        endpoint: Endpoint,
        head: RequestHead,
        peer: Peer,
        *,
        is_copy: bool = False,
    ) -> bytes:
        """The field line for one attempt at a region's gateway. `head` is what is sent."""
        signer = snapshot.routing.signer
        if signer is None:
            return b""  # nobody to believe: the other gateway decides as for any client
        hop = Hop(
            at=self._wall(),
            nonce=self._rng.getrandbits(63),
            source=self._node_id,
            destination=endpoint.region,
            route=route.id,
            service=route.service,
            client_ip=peer.client_ip,
            country=peer.country(),
            is_copy=is_copy,
            bound_to=bound_to(head.method, head.path, head.query),
        )
        return field_line(signer, hop)

    def take(self, snapshot: RoutingSnapshot, head: RequestHead) -> Hop | Answer | None:
        """What the request's hop says; None for a request without one, which is a client's."""
        routing = snapshot.routing
        if not routing.takes_hops or routing.signer is None or FIELD_START not in head.lowered:
            return None
        values = head.values(NAME)
        if len(values) != 1:
            return hop_refused("two hops in one request, expected one at most")
        found = self._ledger.open(
            routing.signer,
            values[0].decode("latin-1"),
            region=routing.region,
            request=bound_to(head.method, head.path, head.query),
            now=self._wall(),
        )
        return hop_refused(found) if isinstance(found, str) else found
