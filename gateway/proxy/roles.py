"""Who talks to whom? What each part of a forwarded request is to the others.

    Client (client.py)  ──request──>  AnswerSink (exchange.py)  ──send──>  Upstream (upstream.py)
           <──answer──                        <──head, body, failure──

The parts know each other by these roles alone, so that each can be read, and tested, without the others.
"""

from __future__ import annotations

from typing import Protocol

from gateway.core.frames import Cut
from gateway.core.gate import Endpoint
from gateway.core.head import RequestHead
from gateway.core.problems import Answer
from gateway.core.response import ResponseHead
from gateway.errors import UpstreamError
from gateway.proxy.peer import Peer
from gateway.proxy.tunnel import Side, Tunnel


class AnswerSink(Protocol):
    """Whoever sent a request on an upstream connection, and hears what comes of it."""

    @property
    def head(self) -> RequestHead: ...
    @property
    def idle_timeout_s(self) -> float: ...

    def on_interim(self, head: ResponseHead) -> None: ...
    def on_answer_head(self, connection: Upstream, head: ResponseHead) -> bool:
        """False when the answer is dropped: the connection is then closed already."""

    def flush_head(self) -> None:
        """The body has not begun to come."""

    def on_answer_body(self, data: bytes, *, ended: bool) -> None: ...
    def on_failed(self, endpoint_id: str, error: UpstreamError) -> None: ...
    def on_upstream_full(self) -> None: ...
    def on_upstream_drained(self) -> None: ...


class Upstream(Side, Protocol):
    """A connection to an endpoint."""

    endpoint: Endpoint
    is_awaiting_head: bool
    tunnel: Tunnel | None
    """Set once both sides have agreed to one: then no byte is read as HTTP any more."""

    def send(self, sink: AnswerSink, data: bytes, *, timeout_s: float) -> None:
        """Start a request: its head, and what is there of its body."""

    def extend(self, timeout_s: float) -> None:
        """Something moved: wait this long for the next thing."""

    def pause_reading(self) -> None: ...
    def resume_reading(self, timeout_s: float) -> None: ...
    def release(self, *, may_reuse: bool, keep_s: float) -> None:
        """Its answer is whole. `keep_s`: how long it may wait for another request."""

    def close(self) -> None:
        """At once: whatever it still holds is nobody's any more."""


class Client(Side, Protocol):
    """A client's connection."""

    peer: Peer
    listener: str
    via_line: bytes

    @property
    def is_idle(self) -> bool:
        """No request has begun on it: nothing is lost by closing it."""

    def close(self) -> None:
        """When what was written has left."""

    def abort(self) -> None:
        """At once: what was sent so far must not look complete."""

    def cut(self, cut: Cut) -> None:
        """What is under way there is waited for no longer."""

    def open_tunnel(self, tunnel: Tunnel) -> None: ...
    def on_exchange_over(self, answer: Answer | None) -> None:
        """The exchange under way has ended, with `answer` if it is one of ours."""


class Waiter(Protocol):
    """A request that waits for its turn at a service (gateway/core/bulkhead.py)."""

    def admit(self) -> None:
        """It has a place, and a connection is to be had."""

    def turn_away(self) -> None:
        """It has waited long enough."""
