"""One client's connection: frames requests, refuses what is ambiguous, and answers in order.

    awaiting head ──> Exchange ──> answered ──> awaiting head again
         │               └─ body bytes go to the exchange as they come
         └─ refused: a problem document, and the connection closes, for where the request ends is in doubt

One request at a time: what a client sends ahead waits, bounded, in `_pending`. Reading is not paused while an answer
is awaited, because a paused socket does not tell that its peer has gone.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, cast

from gateway.core import reasons
from gateway.core.decision import Refusal, decide
from gateway.core.head import RequestHead
from gateway.core.problems import (
    BODY_LATE,
    HEAD_LATE,
    NOT_YET,
    TOO_MANY,
    Answer,
    answer_to,
    problem_response,
)
from gateway.core.proxy_protocol import ProxyHeaderRefused, parse_proxy_header
from gateway.core.request_body import RequestBody
from gateway.errors import RequestRefused
from gateway.proxy.exchange import Exchange
from gateway.proxy.outcome import Outcome
from gateway.proxy.peer import Peer
from gateway.proxy.tunnel import Tunnel

if TYPE_CHECKING:
    from gateway.proxy.listening import ListenerSettings
    from gateway.proxy.ports import Runtime

WRITE_BUFFER_HIGH: Final = 64 * 1024
MAX_PENDING: Final = 64 * 1024
"""Bytes a client may send ahead of its turn before it is not read from."""
LINGER_S: Final = 2.0
"""How long a refused sender may go on before the connection is cut: closing at once would reset our answer away."""
LINGER_BYTES: Final = 1024 * 1024


class ClientConnection(asyncio.Protocol):
    """Made by the listener for each accepted connection."""

    __slots__ = (
        "_awaits_proxy_header",
        "_body",
        "_closing",
        "_exchange",
        "_head_size_seen",
        "_lingered",
        "_pending",
        "_reading_paused",
        "_runtime",
        "_settings",
        "_transport",
        "_tunnel",
        "_write_paused",
        "deadline",
        "listener",
        "peer",
        "via_line",
    )

    def __init__(self, runtime: Runtime, settings: ListenerSettings) -> None:
        self._runtime = runtime
        self._settings = settings
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._pending = b""
        self._head_size_seen = 0
        self._body: RequestBody | None = None
        self._tunnel: Tunnel | None = None
        self._closing = False
        self._lingered = 0
        self._awaits_proxy_header = settings.takes_proxy_header
        self._reading_paused = False
        self._write_paused = False
        self.deadline = math.inf
        self.listener = settings.name
        self.via_line = settings.via_line

    # -- the socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_HIGH)
        peer = transport.get_extra_info("peername")
        runtime = self._runtime
        self.peer = Peer(self._settings, peer[0] if peer else "unknown")
        self.deadline = runtime.now() + self._settings.header_timeout_s
        runtime.wheel.watch(self, now=runtime.now())
        runtime.add_client(self)
        self._settings.connections += 1
        if self._settings.is_over_full():
            self._refuse(TOO_MANY)

    def _take_proxy_header(self, data: bytes) -> None:
        """A listener behind a load balancer: its header first, and only from one that is trusted."""
        try:
            if not self.peer.is_trusted:
                raise ProxyHeaderRefused("a peer whose PROXY header is not believed")
            header = parse_proxy_header(data)
        except ProxyHeaderRefused:
            self.abort()
            return
        self._pending = data
        if header is not None:
            self._awaits_proxy_header = False
            self._pending = b""
            if header.client_ip is not None:
                self.peer = Peer(self._settings, header.client_ip)
            if len(data) > header.size:
                self.data_received(data[header.size :])

    def connection_lost(self, error: Exception | None) -> None:
        self.deadline = -math.inf
        self._settings.connections -= 1
        self._closing = True
        self._pending = b""
        self._runtime.remove_client(self)
        if self._tunnel is not None:
            self._tunnel.end()
        elif self._exchange is not None:
            self._exchange.on_client_gone()

    def eof_received(self) -> bool:
        if self._tunnel is not None or self._exchange is None or self._body is not None:
            return False  # nothing more to answer, or a body that will never be whole
        self._exchange.close_after = True
        return True  # half-closed: it still waits for its answer

    def pause_writing(self) -> None:
        self._write_paused = True
        self.deadline = self._runtime.now() + self._settings.write_timeout_s
        if self._tunnel is not None:
            self._tunnel.client_full()
        elif self._exchange is not None:
            self._exchange.on_client_slow()

    def resume_writing(self) -> None:
        self._write_paused = False
        self._set_deadline()
        if self._tunnel is not None:
            self._tunnel.client_drained()
        elif self._exchange is not None:
            self._exchange.on_client_drained()

    def data_received(self, data: bytes) -> None:
        if self._awaits_proxy_header and not self._closing:
            self._take_proxy_header(self._pending + data)
        elif self._closing:
            self._lingered += len(data)
            if self._lingered > LINGER_BYTES:
                self.abort()
        elif self._body is not None:
            self._take_body(data)
        elif self._tunnel is not None:
            self.deadline = self._runtime.now() + self._settings.tunnel_idle_timeout_s
            self._tunnel.from_client(data)
        elif self._exchange is not None:
            self._pending += data
            if len(self._pending) > MAX_PENDING:
                self.hold()
        else:
            self._take_heads(self._pending + data if self._pending else data)

    def on_deadline(self, now: float) -> None:
        if self._closing or self._write_paused:
            self.abort()
        elif self._tunnel is not None:
            self._tunnel.end(reasons.TUNNEL_IDLE)
        elif self._body is not None:
            if self._exchange is not None:
                self._exchange.refuse(BODY_LATE)
        elif self._exchange is not None:
            self.deadline = math.inf
        elif self._pending:
            self._refuse(HEAD_LATE)
        else:
            self.deadline = now + LINGER_S
            self.close()

    # -- requests

    def _take_heads(self, data: bytes) -> None:
        """Start the request that `data` begins with; as long as answers are immediate, the next ones too."""
        while True:
            if data[:2] == b"\r\n":
                data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a request line mean nothing
            end = data.find(b"\r\n\r\n", max(0, self._head_size_seen - 3)) + 4
            if end == 3:
                self._wait_for_head(data)
                return
            self._head_size_seen = 0
            self._pending = data[end:]
            self._begin(data[:end])
            if self._exchange is not None or self._closing or not self._pending:
                return
            data, self._pending = self._pending, b""

    def _wait_for_head(self, data: bytes) -> None:
        if not data:
            self._pending = b""
            self._set_deadline()
            return
        try:
            self._settings.check_partial(data)
        except RequestRefused as error:
            self._refuse(answer_to(error))
            return
        if not self._pending:
            self.deadline = self._runtime.now() + self._settings.header_timeout_s
        self._pending = data
        self._head_size_seen = len(data)

    def _begin(self, raw: bytes) -> None:
        """One whole head is there."""
        runtime, settings = self._runtime, self._settings
        started_at = runtime.now()
        request_id = runtime.next_request_id()
        try:
            head = settings.check(raw)
        except RequestRefused as error:
            self._refuse(answer_to(error), request_id=request_id, started_at=started_at)
            return
        if self.peer.is_trusted:
            request_id = self.peer.identify(head) or request_id
        snapshot = runtime.snapshot
        if snapshot is None:
            self._answer(head, Refusal(None, NOT_YET), request_id=request_id, started_at=started_at)
            return
        decided = decide(snapshot, head, settings.name, self.peer.country)
        if isinstance(decided, Refusal):
            self._answer(head, decided, request_id=request_id, started_at=started_at)
            return
        exchange = Exchange(runtime, self, head, snapshot, decided, request_id=request_id, started_at=started_at)
        self._exchange = exchange
        self.deadline = math.inf
        if head.body_length:
            self._body = RequestBody(head.body_length, limit=settings.max_body)
            self._set_deadline()
        exchange.start()
        if head.body_length and self._exchange is exchange and self._pending:
            pending, self._pending = self._pending, b""
            self._take_body(pending)

    # -- request bodies

    def _take_body(self, data: bytes) -> None:
        exchange, body = self._exchange, self._body
        if exchange is None or body is None:
            return
        self._set_deadline()
        try:
            data = body.feed(data)
        except RequestRefused as error:
            exchange.refuse(answer_to(error))
            return
        if body.is_done:
            self._body = None
            self._pending = body.rest
            self.deadline = math.inf
        elif not data:
            return
        exchange.on_request_body(data, ended=body.is_done)

    def hold(self) -> None:
        """Upstream is slower than the client, or not there yet."""
        if not self._reading_paused and self._transport is not None and not self._closing:
            self._reading_paused = True
            self._transport.pause_reading()
            self._set_deadline()

    def go_on(self) -> None:
        if self._reading_paused and self._transport is not None and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()
            self._set_deadline()

    # -- a tunnel

    def open_tunnel(self, tunnel: Tunnel) -> None:
        """The endpoint has agreed: what the client sends, and has sent ahead, is no HTTP any more."""
        self._tunnel = tunnel
        self._settings.streams += 1
        self.deadline = self._runtime.now() + self._settings.tunnel_idle_timeout_s
        pending, self._pending = self._pending, b""
        self.go_on()
        if pending:
            tunnel.from_client(pending)

    def finish(self) -> None:
        """The tunnel's end."""
        if self._tunnel is not None:
            self._tunnel = None
            self._settings.streams -= 1
            self.close()

    # -- answers

    def write(self, data: bytes) -> None:
        """Bytes of the answer under way."""
        if self._transport is not None:
            self._transport.write(data)
            if self._tunnel is not None and not self._write_paused:
                self.deadline = self._runtime.now() + self._settings.tunnel_idle_timeout_s

    def abort(self) -> None:
        """Cut the connection: what was sent so far must not look complete."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def on_exchange_over(self, exchange: Exchange, answer: Answer | None) -> None:
        """The exchange has ended: write `answer` if it is one of ours, and go on or close."""
        self._exchange = None
        self._body = None
        unread = not exchange.has_whole_request
        if answer is not None:
            self._write_answer(exchange.head, answer, exchange.request_id, close=unread)
        if self._closing:
            return
        if unread:
            self._close_lingering()
        elif exchange.close_after or (answer is not None and not exchange.head.keep_alive) or self._runtime.is_draining:
            self.close()
        else:
            self._next_request()

    def _next_request(self) -> None:
        self._set_deadline()
        self.go_on()
        if self._pending:
            # From the loop, not from here: a thousand pipelined requests must not be a thousand frames deep.
            self._runtime.loop.call_soon(self._take_pending)

    def _take_pending(self) -> None:
        if self._pending and self._exchange is None and not self._closing:
            pending, self._pending = self._pending, b""
            self._take_heads(pending)

    def _answer(self, head: RequestHead, refusal: Refusal, *, request_id: bytes, started_at: float) -> None:
        """Answer at once, without an exchange. A body that comes with the request is not read."""
        unread = head.body_length != 0
        self._write_answer(head, refusal.answer, request_id, close=unread)
        if unread:
            self._close_lingering()
        elif not head.keep_alive or self._runtime.is_draining:
            self.close()
        else:
            self._set_deadline()
        route = refusal.route.id if refusal.route else ""
        self._record(refusal.answer, request_id, started_at, head=head, route=route)

    def _write_answer(self, head: RequestHead, answer: Answer, request_id: bytes, *, close: bool) -> None:
        self.write(
            problem_response(
                answer,
                node_id=self._runtime.node_id,
                request_id=request_id,
                close=close or not head.keep_alive or self._runtime.is_draining,
                head_only=head.method == "HEAD",
            )
        )

    def _refuse(self, answer: Answer, *, request_id: bytes | None = None, started_at: float | None = None) -> None:
        """Refuse what has no usable head, and close."""
        request_id = request_id or self._runtime.next_request_id()
        started_at = self._runtime.now() if started_at is None else started_at
        self.write(problem_response(answer, node_id=self._runtime.node_id, request_id=request_id, close=True))
        self._close_lingering()
        self._record(answer, request_id, started_at)

    def _record(
        self, answer: Answer, request_id: bytes, started_at: float, *, head: RequestHead | None = None, route: str = ""
    ) -> None:
        outcome = Outcome(
            listener=self.listener,
            client_ip=self.peer.client_ip,
            request_id=request_id,
            started_at=started_at,
            status=answer.status,
            reason=answer.reason,
            detail=answer.detail,
            route=route,
        )
        if head is not None:
            outcome.method, outcome.host, outcome.path = head.method, head.host, head.path
        self._runtime.record(outcome)

    # -- closing

    @property
    def is_idle(self) -> bool:
        """No request has begun on it: nothing is lost by closing it."""
        return self._exchange is None and not self._pending and not self._closing

    def close(self) -> None:
        """When what was written has left."""
        self._closing = True
        self._pending = b""
        self.deadline = self._runtime.now() + self._settings.write_timeout_s
        if self._transport is not None:
            self._transport.close()

    def _close_lingering(self) -> None:
        """The client may still be sending: closing now would reset the connection and destroy our answer."""
        self._closing = True
        self._pending = b""
        self.deadline = self._runtime.now() + LINGER_S
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._reading_paused:
            self._reading_paused = False
            transport.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def _set_deadline(self) -> None:
        """What this connection now waits for decides how long it may."""
        settings = self._settings
        if self._body is not None and not self._reading_paused:
            self.deadline = self._runtime.now() + settings.body_idle_timeout_s
        elif self._exchange is not None:
            self.deadline = math.inf
        else:
            self.deadline = self._runtime.now() + settings.idle_timeout_s
