"""The session of one request under way: asked where it goes, told to its client, counted.

What becomes of it is decided by gateway/core/sticky.py; here it gets the clock, the book and the tally.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.core.gate import Endpoint
from gateway.core.head import RequestHead
from gateway.core.outgoing import copied
from gateway.core.problems import Answer
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.core.sticky import Stay, World
from gateway.core.sticky_cookie import StickyCookie
from gateway.proxy.ports import Runtime


class StickySession:
    """One request's."""

    __slots__ = ("_cookie", "_runtime", "_stay", "line")

    def __init__(self, runtime: Runtime, cookie: StickyCookie, head: RequestHead) -> None:
        self._runtime = runtime
        self._cookie = cookie
        self._stay = Stay(cookie, head, wall=runtime.steady_wall())
        self.line = b""
        """The field line that its answer carries for the client, once there is an answer; empty without news."""

    def hidden_from(self, outgoing: RequestHead) -> RequestHead:
        """What endpoints get: the request without our cookie."""
        fields = self._cookie.stripped(outgoing.forwarded_fields)
        if fields is outgoing.forwarded_fields:
            return outgoing
        outgoing = copied(outgoing)
        outgoing.forwarded_fields = fields
        return outgoing

    def settle(self, snapshot: RoutingSnapshot, forward: Forward, client_ip: str) -> Forward:
        """Where regions share their load: the one that takes this client."""
        return self._stay.settle(forward, self._world(snapshot), client_ip)

    def next_endpoint(
        self, snapshot: RoutingSnapshot, forward: Forward, *, tried: Collection[str], key: bytes
    ) -> Endpoint | None:
        """For the next attempt; None where there is none: see `refusal`."""
        return self._stay.next_endpoint(forward, self._world(snapshot), tried=tried, key=key)

    def refusal(self, forward: Forward) -> Answer | None:
        """What to answer where the session's endpoint is away; None where it is not that."""
        return self._stay.refusal(forward)

    def answered(self, endpoint: Endpoint, status: int) -> None:
        """The head of its answer is here, and goes to the client."""
        runtime, stay = self._runtime, self._stay
        self.line = stay.answered(endpoint, status, wall=runtime.steady_wall(), rng=runtime.rng)
        self.count(endpoint.service)
        if stay.number is not None and not endpoint.is_gateway and (self.line or stay.is_kept):
            runtime.sessions.seen(stay.number, endpoint.id)

    def count(self, service: str) -> None:
        """It has come to what it has come to."""
        self._runtime.sessions.count(service, self._stay.outcome, self._stay.why)

    @property
    def is_kept(self) -> bool:
        """The request belongs to the endpoint chosen last."""
        return self._stay.is_kept

    @property
    def hop_line(self) -> bytes:
        """For another gateway, which has to read the cookie."""
        return self._stay.hop_line

    @property
    def sentence(self) -> str:
        """For the log."""
        return self._stay.sentence

    def _world(self, snapshot: RoutingSnapshot) -> World:
        runtime = self._runtime
        return World(snapshot, runtime.snapshot, runtime.book, runtime.rng, runtime.now())
