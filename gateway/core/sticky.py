"""Does this request stay with the endpoint that has its client's session, and if not, where does it go?

    cookie ── genuine, not expired? ── no ──────────────────────────────────> a session begins: anywhere, but where
      │                                                                        something is being drained last of all
      └── names an endpoint of a region that this very route may use now?
             ├─ no, or it is drained, or there is none of that name any more ──> the session moves, whatever `fallback`
             ├─ it is being drained and another may serve ─────────────────────> the session moves
             ├─ the gate is closed for it ── fallback: error ──────────────────> 503
             │                              any_available, least_loaded ───────> the session moves
             └─ it may serve ──────────────────────────────────────────────────> the session stays

The candidates are those of the request's own decision, so that no cookie leads across a border of residency, and the
gate is the one for all (gateway/core/balancing.py), so that a session is among the trials of its own endpoint. Asked
once an attempt: a retry goes where the gate lets it then.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from gateway.core import reasons
from gateway.core.balancing import may_take
from gateway.core.book import EndpointBook
from gateway.core.decision import RETRY_AFTER_S, may_still_go, next_endpoint
from gateway.core.gate import Endpoint, RegionPool
from gateway.core.head import RequestHead
from gateway.core.problems import Answer
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.core.sticky_cookie import Session, StickyCookie

SESSION_BITS: Final = 64
_LEFT: Final = frozenset(
    {reasons.ENDPOINT_GONE, reasons.REGION_NOT_ALLOWED, reasons.DRAINED, reasons.WEIGHT_ZERO, reasons.DRAINING}
)
"""Why an endpoint is left for good: `fallback` is about what fails."""


@dataclass(slots=True)
class World:
    """What a choice is made by, beside the request. Made for each, and so not frozen: that would cost more than it."""

    snapshot: RoutingSnapshot
    """That the request was decided by."""
    current: RoutingSnapshot | None
    """In force now."""
    book: EndpointBook
    rng: random.Random
    now: float
    """Monotonic seconds."""
    held: Collection[str] = ()
    """Endpoints that others are known to hold back; for `explain`."""


class Stay:
    """One request's."""

    __slots__ = ("_cookie", "number", "outcome", "session", "why")

    def __init__(self, cookie: StickyCookie, head: RequestHead, *, wall: float) -> None:
        self._cookie = cookie
        self.session: Session | None
        self.session, self.why = cookie.read(head, wall=wall)
        """Why there is no session, or why it does not stay where it was; empty where it does."""
        self.outcome = reasons.SESSION_KEPT if self.session is not None else reasons.SESSION_BEGUN
        self.number: int | None = None if self.session is None else self.session.id
        """Of the session; None until one begins."""

    @property
    def is_kept(self) -> bool:
        """The request belongs to the endpoint chosen last: a copy elsewhere would be another session's."""
        return self.outcome == reasons.SESSION_KEPT

    @property
    def sentence(self) -> str:
        """For the log."""
        return f"{self.outcome}: {self.why}" if self.why else self.outcome

    @property
    def hop_line(self) -> bytes:
        """For another gateway, which has to read the cookie; no endpoint gets it."""
        return self._cookie.asked_line(self.session) if self.session is not None else b""

    def settle(self, forward: Forward, world: World, client_ip: str) -> Forward:
        """Where regions share their load: the one that takes this client, by its session or else by its place."""
        if forward.spill is None:
            return forward
        bound, why = self._bound(forward, world, ())
        return forward.spill.to(bound.region) if bound is not None and not why else forward.spill.forward(client_ip)

    def next_endpoint(
        self, forward: Forward, world: World, *, tried: Collection[str], key: bytes = b""
    ) -> Endpoint | None:
        """The endpoint for the next attempt; None where there is none: see `refusal`."""
        if self.session is None:
            return self._anew(forward, world, tried, key) or self._anew(forward, world, tried, key, spares=False)
        bound, why = self._bound(forward, world, tried)
        if bound is not None and not why:
            return self._told(bound, reasons.SESSION_KEPT, "")
        if bound is not None and why == reasons.DRAINING:
            other = self._anew(forward, world, tried, key)
            return self._told(other or bound, reasons.SESSION_MOVED if other else reasons.SESSION_KEPT, why)
        if self._cookie.fallback == "error" and why not in _LEFT:
            return self._told(None, reasons.SESSION_AWAY, why)
        algorithm = "least_connections" if self._cookie.fallback == "least_loaded" else None
        endpoint = self._anew(forward, world, tried, key, algorithm=algorithm)
        endpoint = endpoint or self._anew(forward, world, tried, key, algorithm=algorithm, spares=False)
        return self._told(endpoint, reasons.SESSION_MOVED, why)

    def refusal(self, forward: Forward) -> Answer | None:
        """What to answer where there is no endpoint because the session's is away; None where it is not that."""
        if self.outcome != reasons.SESSION_AWAY:
            return None
        return Answer(
            status=503,
            reason=reasons.STICKY_ENDPOINT_AWAY,
            detail=f"the endpoint of service {forward.service.id} that has this session may not serve now: {self.why}",
            proxy_status="destination_unavailable",
            retry_after_s=RETRY_AFTER_S,
        )

    def answered(self, endpoint: Endpoint, status: int, *, wall: float, rng: random.Random) -> bytes:
        """What goes with the answer of `endpoint`: a cookie where there is something new to say, else nothing.

        No session begins at an endpoint that fails, or at one that is being drained; beyond another region's gateway
        it is that gateway's cookie.
        """
        if status >= 500 or endpoint.operator.is_draining or endpoint.is_gateway:
            return b""
        session = self.session
        if session is not None and self.is_kept and not self._cookie.is_due(session, wall=wall):
            return b""
        if self.number is None:
            self.number = rng.getrandbits(SESSION_BITS)
        return self._cookie.line(self.number, endpoint, wall=wall)

    def _told(self, endpoint: Endpoint | None, outcome: str, why: str) -> Endpoint | None:
        self.outcome, self.why = outcome, why
        return endpoint

    def _bound(self, forward: Forward, world: World, tried: Collection[str]) -> tuple[Endpoint | None, str]:
        """The session's endpoint, and why this request may not go there; empty where it may."""
        session = self.session
        endpoint = world.snapshot.marked[forward.service.id].get(session.mark) if session is not None else None
        if endpoint is None:
            return None, reasons.ENDPOINT_GONE
        if not _may_go(forward, world, endpoint.region):
            return None, reasons.REGION_NOT_ALLOWED
        over = may_take(_pool(forward, world, endpoint.region), endpoint, world.book, world.now)
        if over is not None:
            return endpoint, over.reason
        if endpoint.id in world.held:
            return endpoint, reasons.UNREACHABLE
        if endpoint.operator.is_draining:
            return endpoint, reasons.DRAINING
        return endpoint, reasons.ATTEMPT_FAILED if endpoint.id in tried else ""

    def _anew(
        self,
        forward: Forward,
        world: World,
        tried: Collection[str],
        key: bytes,
        *,
        algorithm: str | None = None,
        spares: bool = True,
    ) -> Endpoint | None:
        """By the service's own choice; `spares`: without what is being drained."""
        return next_endpoint(
            world.snapshot,
            forward,
            world.book,
            tried={*tried, *world.held} if world.held else tried,
            rng=world.rng,
            now=world.now,
            key=key,
            algorithm=algorithm,
            current=world.current,
            for_session=spares,
        )


def _may_go(forward: Forward, world: World, region: str) -> bool:
    """By the request's own decision, and by what residency says now where that is another snapshot."""
    if all(ranked.region != region for ranked in forward.regions):
        return False
    if world.current is None or world.current is world.snapshot or not forward.route.data_types:
        return True
    return may_still_go(world.current, forward.route.id, region)


def _pool(forward: Forward, world: World, region: str) -> RegionPool:
    pool = world.snapshot.pools[forward.service.id][region]
    return pool.panic if pool.panic is not None and region in forward.panic else pool
