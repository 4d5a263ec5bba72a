"""One client's connection: frames requests, refuses what is ambiguous, and answers in order.

    awaiting head ──> Exchange ──> answered ──> awaiting head again
         │               └─ body bytes go to the exchange as they come
         ├─ held: admission waits for something (gateway/admission/); what comes meanwhile waits in the inbox
         └─ refused: a problem document, and the connection closes, for where the request ends is in doubt

One request at a time: what a client sends ahead waits, bounded, in its inbox. Reading is not paused while an answer
is awaited, because a paused socket does not tell that its peer has gone.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final, cast

from gateway.core import reasons
from gateway.core.debugging import NAME as DEBUG_NAME
from gateway.core.decision import Refusal, decide, decide_hop
from gateway.core.frames import Cut
from gateway.core.head import RequestHead
from gateway.core.hops import Hop
from gateway.core.inbox import Inbox
from gateway.core.plans import RoutePlan
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
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.errors import RequestRefused
from gateway.proxy.answering import audit_refusal, written
from gateway.proxy.exchange import Exchange
from gateway.proxy.explaining import Explaining, explaining_of
from gateway.proxy.held import Held, until_caught_up
from gateway.proxy.late import LATE_BYTES
from gateway.proxy.listening import ListenerSettings
from gateway.proxy.mirror import mark_of
from gateway.proxy.parting import LINGER_BYTES, LINGER_S, end_sending, reset
from gateway.proxy.peer import Peer
from gateway.proxy.ports import Runtime
from gateway.proxy.recording import record_here
from gateway.proxy.tunnel import Tunnel
from gateway.tls.identity import identity_of

WRITE_BUFFER_HIGH: Final = 64 * 1024
MAX_PENDING: Final = 64 * 1024
"""Bytes a client may send ahead of its turn before it is not read from."""
MAX_REMEMBERED: Final = 2048
"""Bytes of a head that is remembered for the next one: ten thousand idle connections hold no more than 60 MiB by it."""
DEBUG_START: Final = b"\r\n" + DEBUG_NAME + b":"


class ClientConnection(asyncio.Protocol):
    """Made by the listener for each accepted connection."""

    __slots__ = (
        "_address",
        "_awaits_proxy_header",
        "_body",
        "_closing",
        "_exchange",
        "_explaining",
        "_held",
        "_inbox",
        "_is_half_closed",
        "_is_head_begun",
        "_is_tls",
        "_last_head",
        "_late",
        "_lingered",
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

    def __init__(self, runtime: Runtime, settings: ListenerSettings, *, address: str | None = None) -> None:
        """`address`: the peer's, where the PROXY header is already read, which over TLS comes before the handshake."""
        self._runtime = runtime
        self._settings = settings
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._explaining: Explaining | None = None
        """Of the request under way, where an operator asks for it."""
        self._held: Held | None = None
        """A request whose admission waits for something."""
        self._is_half_closed = False
        self._inbox = Inbox()
        """What came and waits: a head that is not whole, requests sent ahead of their turn."""
        self._is_head_begun = False
        self._last_head: RequestHead | None = None
        self._body: RequestBody | None = None
        self._tunnel: Tunnel | None = None
        self._late = b""
        """Written when this turn of the loop is over (gateway/proxy/late.py)."""
        self._closing = False
        self._lingered = 0
        self._awaits_proxy_header = settings.takes_proxy_header and address is None
        self._address = address
        self._is_tls = False
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
        tls = transport.get_extra_info("ssl_object")
        self._is_tls = tls is not None
        address = self._address or (peer[0] if peer else "unknown")
        self.peer = Peer(self._settings, address, identity=identity_of(tls) if tls is not None else None)
        self.deadline = runtime.now() + self._settings.header_timeout_s
        runtime.wheel.watch(self, now=runtime.now())
        runtime.clients.add(self)
        self._settings.connections += 1
        if self._settings.is_over_full():
            self._refuse(TOO_MANY)

    def _take_proxy_header(self) -> bool:
        """A listener behind a load balancer: its header first, and only from one that is trusted."""
        try:
            if not self.peer.is_trusted:
                raise ProxyHeaderRefused("a peer whose PROXY header is not believed")
            header = parse_proxy_header(self._inbox.peek())
        except ProxyHeaderRefused:
            self.abort()
            return False
        if header is None:
            return False
        self._awaits_proxy_header = False
        self._inbox.take(header.size)
        if header.client_ip is not None:
            self.peer = Peer(self._settings, header.client_ip)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.deadline = -math.inf
        self._settings.connections -= 1
        self._closing = True
        self._late = b""
        self._runtime.clients.remove(self)
        if self._tunnel is not None:
            self._tunnel.end()
        elif self._exchange is not None:
            self._exchange.on_client_gone()
        elif self._held is not None:
            self._held.cancel()

    def eof_received(self) -> bool:
        if self._held is not None:
            self._is_half_closed = True  # its answer still goes out
            return not self._is_tls
        if self._tunnel is not None or self._exchange is None or self._body is not None:
            return False  # nothing more to answer, or a body that will never be whole
        if self._exchange.head.is_websocket:
            return False  # a tunnel with one deaf end: uvloop would not even tell when it is gone
        self._exchange.close_after = True
        return not self._is_tls  # half-closed: it still waits for its answer; over TLS it has left

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
        else:
            self._take_heads_soon()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._lingered += len(data)
            if self._lingered > LINGER_BYTES:
                self.abort()
        elif self._body is not None:
            self._take_body(data)
        elif self._tunnel is not None:
            self.deadline = self._runtime.now() + self._settings.tunnel_idle_timeout_s
            self._tunnel.from_client(data)
        else:
            self._inbox.add(data)
            if not self._awaits_proxy_header or self._take_proxy_header():
                self._take_heads()

    def on_deadline(self, now: float) -> None:
        if self._closing or self._write_paused:
            self.abort()
        elif self._tunnel is not None:
            self._tunnel.end(reasons.TUNNEL_IDLE)
        elif self._body is not None:
            if self._exchange is not None:
                self._exchange.refuse(BODY_LATE)
        elif self._exchange is not None or self._held is not None:
            self.deadline = math.inf
        elif self._inbox.size:
            self._refuse(HEAD_LATE)
        else:
            self.deadline = now + LINGER_S
            self.close()

    # -- requests

    def _take_heads(self) -> None:
        """Start the next request; as long as answers are immediate, and the client reads them, the next ones too."""
        inbox = self._inbox
        while self._exchange is None and self._held is None and not self._closing and not self._write_paused:
            raw = inbox.next_head()
            if raw is None:
                if inbox.size:
                    self._wait_for_head()
                return
            self._is_head_begun = False
            self._begin(raw)
        if inbox.size > MAX_PENDING:
            self.hold()

    def _take_heads_soon(self) -> None:
        """From the loop, not from here: a thousand pipelined requests must not be a thousand frames deep."""
        if self._inbox.size:
            self._runtime.loop.call_soon(self._take_heads)
        self.go_on()

    def _wait_for_head(self) -> None:
        try:
            self._settings.check_partial(self._inbox.peek())
        except RequestRefused as error:
            self._refuse(answer_to(error))
            return
        if not self._is_head_begun:
            self._is_head_begun = True
            self.deadline = self._runtime.now() + self._settings.header_timeout_s
        self.go_on()

    def _begin(self, raw: bytes) -> None:
        """One whole head is there."""
        runtime, settings = self._runtime, self._settings
        started_at = runtime.now()
        request_id = runtime.next_request_id()
        try:
            head = settings.check(raw, self._last_head)
        except RequestRefused as error:
            self._refuse(answer_to(error), request_id=request_id, started_at=started_at)
            return
        self._last_head = head if len(raw) <= MAX_REMEMBERED else None
        if self.peer.is_trusted:
            request_id = self.peer.identify(head) or request_id
        else:
            self.peer.answer_for_itself(head)
        snapshot = runtime.snapshot
        if snapshot is None:
            self._answer(head, Refusal(None, NOT_YET), request_id=request_id, started_at=started_at)
            return
        hop = runtime.hops.take(snapshot, head) if snapshot.routing.takes_hops else None
        if hop is not None:
            self._serve_hop(hop, head, snapshot, request_id, started_at)
            return
        if snapshot.routing.takes_debug:
            self._explain(head, snapshot, request_id)
        decided = decide(snapshot, head, settings.name, self.peer.country, self.peer.client_ip)
        route = decided.route
        if route is not None and route.admission is not None and not _is_preflight(decided):
            verdict = runtime.door.admit(route.admission, head, self.peer)
            if isinstance(verdict, Answer):
                self._answer(head, Refusal(route, verdict), request_id=request_id, started_at=started_at)
                return
            if verdict is not None:
                self._hold_request(head, snapshot, decided, request_id, started_at).begin(verdict, "admission")
                return
        self._go_ahead(head, snapshot, decided, request_id, started_at)

    def _explain(self, head: RequestHead, snapshot: RoutingSnapshot, request_id: bytes) -> None:
        """Where an operator asks for it: say in the answer where the explanation is."""
        if self._explaining is not None:
            self._explaining = None
            self.via_line = self._settings.via_line
        if DEBUG_START in head.lowered:
            self._explaining = explaining_of(
                self._runtime, snapshot, head, listener=self.listener, peer=self.peer, request_id=request_id
            )
            if self._explaining is not None:
                self.via_line = self._settings.via_line + self._explaining.line + b"\r\n"

    def _serve_hop(
        self, hop: Hop | Answer, head: RequestHead, snapshot: RoutingSnapshot, request_id: bytes, started_at: float
    ) -> None:
        """Another gateway has decided: nobody is asked again, and it goes no further than to an endpoint here."""
        if isinstance(hop, Answer):
            self._answer(head, Refusal(None, hop), request_id=request_id, started_at=started_at)
            return
        request_id = self.peer.follow(hop, head) or request_id
        if hop.is_copy:
            head.forwarded_fields += mark_of(hop.route)
        self._go_ahead(head, snapshot, decide_hop(snapshot, hop, head), request_id, started_at)

    def _hold_request(
        self,
        head: RequestHead,
        snapshot: RoutingSnapshot,
        decided: Forward | Refusal,
        request_id: bytes,
        started_at: float,
    ) -> Held:
        """It has to wait; for what, and until when, is for the caller to say."""
        self.deadline = math.inf
        held = Held(self._runtime, self, head, snapshot, decided, request_id=request_id, started_at=started_at)
        self._held = held
        return held

    def on_held_over(self, held: Held) -> None:
        """It is admitted, refused or decided anew."""
        self._held = None
        if self._closing:
            return
        if self._reading_paused and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()
        if self._go_ahead(held.head, held.snapshot, held.decided, held.request_id, held.started_at):
            return
        if self._exchange is None:
            if self._is_half_closed:
                self.close()
            else:
                self._take_heads_soon()
        elif self._is_half_closed:
            self._exchange.close_after = True

    def _go_ahead(
        self,
        head: RequestHead,
        snapshot: RoutingSnapshot,
        decided: Forward | Refusal,
        request_id: bytes,
        started_at: float,
    ) -> bool:
        """It is admitted: answer what is decided, or forward it; or hold it, and say so, until data has come."""
        runtime, settings = self._runtime, self._settings
        if isinstance(decided, Refusal):
            if not decided.wait_s:
                self._answer(head, decided, request_id=request_id, started_at=started_at)
                return False
            waiting = until_caught_up(runtime, head, decided, listener=settings.name, peer=self.peer)
            self._hold_request(head, snapshot, decided, request_id, started_at).begin(waiting, "waiting for data")
            return True
        exchange = Exchange(runtime, self, head, snapshot, decided, request_id=request_id, started_at=started_at)
        self._exchange = exchange
        runtime.door.in_flight += 1
        self.deadline = math.inf
        if head.body_length:
            self._body = RequestBody(head.body_length, limit=_body_limit(decided.route, settings.max_body))
            self._set_deadline()
        exchange.start()
        if self._body is not None and self._inbox.size:
            self._take_body(self._inbox.take())
        return False

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
            self.deadline = math.inf
            if body.rest:
                self._inbox.add(body.rest)
        elif not data:
            return
        exchange.on_request_body(data, ended=body.is_done)

    def hold(self) -> None:
        """Stop reading: upstream is slower than the client or not there yet, or too much waits for its turn."""
        if not self._reading_paused and self._transport is not None and not self._closing:
            self._reading_paused = True
            self._transport.pause_reading()
            self._set_deadline()

    def go_on(self) -> None:
        """Read again, unless too much still waits."""
        if self._inbox.size > MAX_PENDING:
            return
        if self._reading_paused and self._transport is not None and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()
            self._set_deadline()

    # -- a tunnel

    def open_tunnel(self, tunnel: Tunnel) -> None:
        """The endpoint has agreed: what the client sends, and has sent ahead, is no HTTP any more."""
        self._tunnel = tunnel
        self._runtime.door.in_flight -= 1
        self._settings.streams += 1
        self.deadline = self._runtime.now() + self._settings.tunnel_idle_timeout_s
        if self._inbox.size:
            tunnel.from_client(self._inbox.take())
        self.go_on()

    def finish(self) -> None:
        """The tunnel's end."""
        tunnel = self._tunnel
        if tunnel is not None:
            self._tunnel = None
            self._settings.streams -= 1
            if tunnel.is_cut:
                self._close_lingering()  # it may be sending, and a reset would destroy the Close frame on its way
            else:
                self.close()

    def cut(self, cut: Cut) -> None:
        if self._exchange is not None:
            self._exchange.cut(cut)

    # -- answers

    def write(self, data: bytes) -> None:
        """Bytes of the answer under way."""
        late = self._late
        if late:
            self._late = late + data
        elif data:
            self._late = data
            self._runtime.late.add(self)
        if len(self._late) > LATE_BYTES:
            self.flush()
        if self._tunnel is not None and not self._write_paused:
            self.deadline = self._runtime.now() + self._settings.tunnel_idle_timeout_s

    def flush(self) -> None:
        """Write what was kept for the end of the turn."""
        late = self._late
        if late and self._transport is not None:
            self._late = b""
            self._transport.write(late)

    def abort(self) -> None:
        """Cut the connection by a reset: where nothing else tells an answer's end, a close would look like it."""
        self._closing = True
        self._late = b""
        if self._transport is not None:
            reset(self._transport)

    def on_exchange_over(self, answer: Answer | None) -> None:
        """The exchange has ended: write `answer` if it is one of ours, and go on or close."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if exchange.status != 101:
            self._runtime.door.in_flight -= 1
        if self._explaining is not None:
            reason = answer.reason if answer is not None else ""
            endpoint = exchange.endpoint.id if exchange.endpoint is not None else ""
            self._runtime.debug.keep(
                self._explaining.ended(
                    status=exchange.status, reason=reason, endpoint=endpoint, attempts=exchange.attempts
                )
            )
        self._body = None
        unread = not exchange.has_whole_request
        if answer is not None:
            self._write_answer(exchange.head, answer, exchange.request_id, close=unread, route=exchange.route)
        if self._closing:
            return
        if unread:
            self._close_lingering()
        elif exchange.close_after or (answer is not None and not exchange.head.keep_alive) or self._runtime.is_draining:
            self.close()
        else:
            self._set_deadline()
            self._take_heads_soon()

    def _answer(self, head: RequestHead, refusal: Refusal, *, request_id: bytes, started_at: float) -> None:
        """Answer at once, without an exchange. A body that comes with the request is not read."""
        unread = head.body_length != 0
        audit_refusal(self._runtime, refusal, request_id)
        decorated = None if refusal.is_preflight else refusal.route
        self._write_answer(head, refusal.answer, request_id, close=unread, route=decorated)
        if unread:
            self._close_lingering(reads=refusal.answer.reason != reasons.REGION_MAY_NOT_HOLD)
        elif not head.keep_alive or self._runtime.is_draining:
            self.close()
        else:
            self._set_deadline()
        route = refusal.route.id if refusal.route else ""
        self._record(refusal.answer, request_id, started_at, head=head, route=route)
        if self._explaining is not None:
            answer = refusal.answer
            self._runtime.debug.keep(self._explaining.ended(status=answer.status, reason=answer.reason))

    def _write_answer(
        self, head: RequestHead, answer: Answer, request_id: bytes, *, close: bool, route: RoutePlan | None
    ) -> None:
        self.write(
            written(
                self._runtime,
                answer,
                head,
                request_id=request_id,
                close=close,
                route=route,
                explaining=self._explaining,
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
        record_here(
            self._runtime,
            answer,
            listener=self.listener,
            peer=self.peer,
            request_id=request_id,
            started_at=started_at,
            head=head,
            route=route,
        )

    # -- closing

    @property
    def is_idle(self) -> bool:
        """No request has begun on it: nothing is lost by closing it."""
        return self._exchange is None and self._held is None and not self._inbox.size and not self._closing

    def close(self) -> None:
        """When what was written has left."""
        self._closing = True
        self.deadline = self._runtime.now() + self._settings.write_timeout_s
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _close_lingering(self, *, reads: bool = True) -> None:
        """The client may still be sending: closing now would reset the connection and destroy our answer.

        Unless it `reads`, what comes stays with the kernel: data that may not be here is not taken to be dropped.
        """
        if not reads:
            self.hold()
        self._closing = True
        self.deadline = self._runtime.now() + LINGER_S
        self.flush()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._reading_paused and reads:
            self._reading_paused = False
            transport.resume_reading()
        end_sending(transport)

    def _set_deadline(self) -> None:
        """What this connection now waits for decides how long it may."""
        if self._write_paused:
            return  # the write time-out runs, whatever else happens
        settings = self._settings
        if self._body is not None and not self._reading_paused:
            self.deadline = self._runtime.now() + settings.body_idle_timeout_s
        elif self._exchange is not None or self._held is not None:
            self.deadline = math.inf
        else:
            self.deadline = self._runtime.now() + settings.idle_timeout_s


def _is_preflight(decided: Forward | Refusal) -> bool:
    return isinstance(decided, Refusal) and decided.is_preflight


def _body_limit(route: RoutePlan, listener_limit: int | None) -> int | None:
    return listener_limit if route.shaping is None else route.shaping.body_limit(listener_limit)
