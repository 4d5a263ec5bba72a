"""One request and its attempts: from a checked head to an answer, without a task or an `await` where nothing waits.

    decide ──> Refusal: written by the client's connection
         └──> Forward: endpoint ──> pooled connection ──> sent within this call
                           │            └─ none idle: connect, the one thing that waits
                           ├─ attempt failed, retry safe and within budget: the next endpoint
                           └─ no answer after `hedge_after`: a second copy elsewhere; the first answer wins

The answer's head waits for the first bytes of its body, so that both leave in one write. Nothing of an attempt may be
retried once a byte of its answer has gone to the client.
"""

from __future__ import annotations

import asyncio

from gateway.core import forwarding, outcomes, reasons
from gateway.core.audit import denial, transfer
from gateway.core.buffering import BUFFERS_FULL
from gateway.core.chunked import LAST_CHUNK, chunk
from gateway.core.crowding import no_room, no_turn
from gateway.core.data_service import operation_line, with_line
from gateway.core.decision import failed_everywhere, next_endpoint, no_endpoint
from gateway.core.explain import passed_over
from gateway.core.frames import Cut
from gateway.core.gate import Endpoint
from gateway.core.hash_key import key_of
from gateway.core.head import CHUNKED, RequestHead
from gateway.core.outgoing import copied, with_length
from gateway.core.plans import RoutePlan
from gateway.core.problems import Answer, answer_to
from gateway.core.replay import NO_BODY, Replay
from gateway.core.response import ResponseHead
from gateway.core.shaping import AnswerRules, Shaping
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.core.sticky import Stay, World
from gateway.core.sticky_cookie import StickyCookie
from gateway.errors import AnswerTimeout, ConnectFailed, DrainCut, RequestRefused, UpstreamError
from gateway.proxy.attempts import Attempts
from gateway.proxy.mirror import Copy, is_picked
from gateway.proxy.outcome import Outcome, PassedOver
from gateway.proxy.ports import Runtime
from gateway.proxy.roles import Client, Upstream
from gateway.proxy.shaped import ShapedAnswer
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.upstream import connect

EVENT_STREAM = b"text/event-stream"


class Exchange:
    """A request that is being forwarded."""

    __slots__ = (
        "_buffer",
        "_buffered_bytes",
        "_bytes_in",
        "_bytes_out",
        "_client",
        "_copy",
        "_forward",
        "_has_place",
        "_head_out",
        "_is_chunking_answer",
        "_is_client_slow",
        "_is_event_stream",
        "_key",
        "_lane",
        "_operation_line",
        "_outgoing",
        "_replay",
        "_request_ended",
        "_runtime",
        "_session_line",
        "_shaped",
        "_snapshot",
        "_started_at",
        "_stay",
        "_timers",
        "_tunnel",
        "_upstream",
        "_waited_s",
        "_waits_since",
        "answer_started",
        "attempts",
        "close_after",
        "endpoint",
        "head",
        "is_over",
        "request_id",
        "status",
    )

    def __init__(
        self,
        runtime: Runtime,
        client: Client,
        head: RequestHead,
        snapshot: RoutingSnapshot,
        forward: Forward,
        *,
        request_id: bytes,
        started_at: float,
    ) -> None:
        self._runtime = runtime
        self._client = client
        self._snapshot = snapshot
        self._forward = forward
        self.head = head
        self.request_id = request_id
        self._started_at = started_at
        self.endpoint: Endpoint | None = None
        """Of the attempt made last; of the answer, once there is one."""
        self.attempts = Attempts(runtime.book)
        self.status = 0
        self._bytes_in = self._bytes_out = 0
        self.close_after = False
        self.answer_started = False
        """Whether a byte of the final answer has gone to the client."""
        self.is_over = False
        self._upstream: Upstream | None = None
        """Where the request's body goes; where the answer comes from, once it has begun."""
        self._request_ended = head.body_length == 0
        self._replay = Replay(forward.service.replay_bound) if head.body_length else NO_BODY
        self._head_out = b""
        self._is_chunking_answer = False
        self._is_event_stream = False
        self._is_client_slow = False
        self._outgoing = head
        """What endpoints get: the head itself, unless the route changes it."""
        self._shaped: ShapedAnswer | None = None
        """What the answer's body goes through, where the route asks for that."""
        self._buffer: bytearray | None = None
        """The body so far, where all of it is received before anybody gets it; None before and after."""
        self._buffered_bytes = 0
        self._copy: Copy | None = None
        """For another service, where the route has a mirror and this request was picked."""
        self._tunnel: Tunnel | None = None
        self._operation_line: bytes | None = None
        """What makes a data write safe to send again; the same in every attempt."""
        self._timers: list[asyncio.TimerHandle] | None = None
        self._stay: Stay | None = None
        """Where sessions stick: what becomes of this one."""
        self._session_line = b""
        """What its answer is to carry of it."""
        self._lane = runtime.lane(forward.service.id)
        self._has_place = False
        """Whether it counts among its service's requests."""
        self._waits_since: float | None = None
        """For a place or a connection."""
        self._waited_s = 0.0
        hash_on = forward.service.balancing.hash_on
        self._key = key_of(hash_on, head, client.peer.client_ip) if hash_on else b""

    @property
    def idle_timeout_s(self) -> float:
        return self._forward.service.idle_timeout_s

    @property
    def route(self) -> RoutePlan:
        return self._forward.route

    @property
    def has_whole_request(self) -> bool:
        return self._request_ended

    # -- attempts

    def start(self) -> None:
        """The first attempt."""
        runtime, service = self._runtime, self._forward.service
        self._lane.budget.requests += 1
        shaping = self._forward.route.shaping
        if shaping is not None and not self._shape_request(shaping):
            return
        if service.sticky is not None:
            self._find_session(service.sticky)
        if service.is_data:
            self._operation_line = operation_line(self.head, runtime.next_request_id())
        if service.has_timers:
            self._timers = []
            if service.total_timeout_s is not None:
                self._timers.append(runtime.loop.call_later(service.total_timeout_s, self._on_total_timeout))
        if shaping is not None and shaping.buffers_request and not self._request_ended:
            self._buffer = bytearray()
            if self.head.expects_continue:
                self._client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._first_attempt()

    def _first_attempt(self) -> None:
        runtime, service = self._runtime, self._forward.service
        if self._timers is not None:
            hedge_after_s = service.hedge_after_s
            if service.hedges_at_p95:
                hedge_after_s = self._lane.durations.quantile(0.95)
            if hedge_after_s is not None and self.head.method in service.retries.methods:
                self._timers.append(runtime.loop.call_later(hedge_after_s, self._hedge))
        if self._lane.enter():
            self._has_place = True
            if self._lane.openings.has_line:
                self._lane.openings.line_up(self._attempt_unless_over)
            else:
                self._attempt(self._next_endpoint())
        else:
            self._wait()
        if self._forward.route.mirror is not None and not self.is_over and is_picked(self._forward, self.head, runtime):
            self._begin_copy()

    def _begin_copy(self) -> None:
        copies = self._forward.route.mirror
        if copies is not None:
            service = self._snapshot.routing.services[copies.service]
            self._copy = Copy(self._runtime, copies, service, self._outgoing)
            self._copy.begin(self._snapshot, self._client.peer, self.request_id)

    def _shape_request(self, shaping: Shaping) -> bool:
        """Whether there is something to send."""
        if shaping.request is not None:
            try:
                self._outgoing = shaping.request.apply(self.head)
            except RequestRefused as error:
                self._give_up(answer_to(error))
                return False
        return True

    def _find_session(self, cookie: StickyCookie) -> None:
        """Whose it is; the endpoint does not get to see how we know."""
        stay = self._stay = Stay(cookie, self.head, wall=self._runtime.steady_wall())
        fields = cookie.stripped(self._outgoing.forwarded_fields)
        if fields is not self._outgoing.forwarded_fields:
            self._outgoing = copied(self._outgoing)
            self._outgoing.forwarded_fields = fields
        self._forward = stay.settle(self._forward, self._world(), self._client.peer.client_ip)

    def _world(self) -> World:
        runtime = self._runtime
        return World(self._snapshot, runtime.snapshot, runtime.book, runtime.rng, runtime.now())

    def _next_endpoint(self) -> Endpoint | None:
        runtime = self._runtime
        if self._stay is not None:
            return self._stay.next_endpoint(self._forward, self._world(), tried=self.attempts.tried, key=self._key)
        return next_endpoint(
            self._snapshot,
            self._forward,
            runtime.book,
            tried=self.attempts.tried,
            rng=runtime.rng,
            now=runtime.now(),
            key=self._key,
            current=runtime.snapshot,
        )

    def _attempt(self, endpoint: Endpoint | None) -> None:
        if endpoint is None:
            away = self._stay.refusal(self._forward) if self._stay is not None else None
            self._give_up(away or no_endpoint(self._forward))
            return
        runtime, service = self._runtime, self._forward.service
        self.endpoint = endpoint
        connection = runtime.pool.take(endpoint)
        if connection is not None:
            self.attempts.begin(endpoint, now=runtime.now())
            self._send(connection)
        elif self._lane.bulkhead.may_connect():
            # A hedge has no time to lose, and must not come back after the answer.
            if not self.attempts.running and not self._lane.openings.may_open(self._attempt_unless_over):
                return
            if self._lane.is_crowded():
                runtime.pool.make_room(service.id)
            self.attempts.begin(endpoint, now=runtime.now())
            self._lane.bulkhead.opening += 1
            runtime.spawn(self._connect(endpoint), "connect")
        elif not self.attempts.running:
            self._wait()

    # -- waiting for a place or a connection

    def _wait(self) -> None:
        now, service = self._runtime.now(), self._forward.service
        until = now + service.connect_timeout_s
        if self._lane.bulkhead.wait(self, until=until, has_place=self._has_place):
            self._waits_since = now
        else:
            self._give_up(no_room(service, self._lane.bulkhead))

    def admit(self) -> None:
        """Its turn has come."""
        self._has_place = True
        self._stop_waiting()
        self._attempt(self._next_endpoint())

    def turn_away(self) -> None:
        """It has waited as long as it may."""
        self._stop_waiting()
        self._give_up(no_turn(self._forward.service, self._lane.bulkhead))

    def _stop_waiting(self) -> None:
        if self._waits_since is not None:
            self._waited_s += self._runtime.now() - self._waits_since
            self._waits_since = None

    def _give_place_back(self) -> None:
        """Streams are not counted among requests."""
        if self._has_place:
            self._has_place = False
            self._lane.release()

    async def _connect(self, endpoint: Endpoint) -> None:
        try:
            connection = await connect(self._runtime, endpoint, timeout_s=self._forward.service.connect_timeout_s)
        except ConnectFailed as error:
            self.on_failed(endpoint.id, error)
            return
        finally:
            self._lane.opened()
        if endpoint.id in self.attempts.running:
            self._send(connection)
        else:
            connection.close()  # the client left, or another copy was answered

    def _send(self, connection: Upstream) -> None:
        endpoint = connection.endpoint
        self.attempts.running[endpoint.id] = connection
        self._upstream = connection
        route = self._forward.route
        if route.is_audited and endpoint.region != self._snapshot.routing.region:
            self._runtime.audit(transfer(route, self._snapshot.routing.region, endpoint, self.request_id))
        peer = self._client.peer
        authority = f"{endpoint.host}:{endpoint.port}".encode()
        data = peer.forwarding.request(self._outgoing, self.request_id, authority, peer.origin)
        if self._operation_line is not None:
            data = with_line(data, self._operation_line)
        if endpoint.is_gateway:
            data = with_line(data, self._runtime.hops.line(self._snapshot, route, endpoint, self._outgoing, peer))
            if self._stay is not None:
                data = with_line(data, self._stay.hop_line)
        if self.head.body_length:
            data += self._replay.take_waiting()
            self._client.go_on()
        service = self._forward.service
        connection.send(self, data, timeout_s=service.try_timeout_s if self._request_ended else service.idle_timeout_s)

    def on_failed(self, endpoint_id: str, error: UpstreamError) -> None:
        """An attempt failed: try elsewhere if that is safe, else tell the client."""
        if endpoint_id in self.attempts.running:
            now = self._runtime.now()
            if isinstance(error, AnswerTimeout):
                self._lane.took(self.attempts.took_s(endpoint_id, now=now), now)
            self.attempts.fail(endpoint_id, error, now=now)
            self._after_failure(error)

    def _after_failure(self, error: UpstreamError) -> None:
        if self.answer_started:
            self._client.abort()  # half an answer must not look like a whole one
            self._finish(error.reason, error.detail)
            return
        if self.attempts.running:
            return  # the other copy may still be answered
        self._upstream = None
        if self._shaped is not None:
            self._shaped.is_dropped = True
            self._shaped = None
        if (
            self._may_send_again(error)
            and self._forward.service.retries.allows_error(
                error, method=self.head.method, retries_done=self.attempts.count - 1
            )
            and self._take_from_budget()
        ):
            self._retry(error)
        else:
            self._give_up(failed_everywhere(self._forward, error))

    def _may_send_again(self, error: UpstreamError) -> bool:
        if isinstance(error, ConnectFailed):
            return True  # nothing was sent: what has come of the body still waits
        return self._request_ended and self._replay.is_whole

    def _take_from_budget(self) -> bool:
        return self._lane.budget.take(self._forward.service.retries, now=self._runtime.now())

    def _retry(self, error: UpstreamError | None = None) -> None:
        if self._request_ended:
            self._replay.rewind()
        upcoming = self._next_endpoint()
        if upcoming is not None:
            self._attempt(upcoming)
            return
        if isinstance(error, DrainCut):
            self._give_up(answer_to(error))  # where it was must not get it again
            return
        # Every eligible endpoint has been tried: again from the first, but not at once.
        self.attempts.tried.clear()
        delay_s = self._forward.service.retries.backoff_s(self.attempts.count - 1, self._runtime.rng)
        self._runtime.loop.call_later(delay_s, self._attempt_unless_over)

    def _attempt_unless_over(self) -> None:
        if not self.is_over:
            self._attempt(self._next_endpoint())

    def _hedge(self) -> None:
        """No answer yet: send a second copy to another endpoint. The first answer wins."""
        if self.is_over or self.status or len(self.attempts.running) != 1:
            return
        if not (self._request_ended and self._replay.is_whole):
            return
        if self._stay is not None and self._stay.is_kept:
            return
        endpoint = self._next_endpoint()
        if endpoint is not None and self._take_from_budget():
            self._replay.rewind()
            self._attempt(endpoint)

    def _on_total_timeout(self) -> None:
        if not self.is_over:
            detail = f"no whole answer within {self._forward.service.total_timeout_s:g} s"
            self.refuse(Answer(504, reasons.TOTAL_TIMEOUT, detail, "http_response_timeout"))

    # -- the request's body, from the client

    def on_request_body(self, data: bytes, *, ended: bool) -> None:
        """Body bytes, without the client's own framing."""
        self._bytes_in += len(data)
        self._request_ended = ended
        if self._buffer is not None:
            self._take_into_buffer(self._buffer, data)
            return
        if self.head.body_length == CHUNKED:
            data = chunk(data) if data else b""
            if ended:
                data += LAST_CHUNK
        if self._copy is not None:
            self._copy.on_request_body(data, ended=ended)
        self._replay.keep(data)
        upstream = self._upstream
        if upstream is not None:
            upstream.write(data)
            service = self._forward.service
            if upstream.is_awaiting_head:
                upstream.extend(service.try_timeout_s if ended else service.idle_timeout_s)
        else:
            self._replay.wait(data)
            if self._replay.is_full:
                self._client.hold()

    def _take_into_buffer(self, buffer: bytearray, data: bytes) -> None:
        """More of a body that is received whole first; with the last of it, an endpoint is chosen."""
        if not self._runtime.buffers.hold(len(data)):
            self.refuse(BUFFERS_FULL)
            return
        self._buffered_bytes += len(data)
        buffer += data
        if not self._request_ended:
            return
        self._buffer = None
        newest = self._runtime.snapshot
        if newest is not None and newest.routing is self._snapshot.routing:
            self._snapshot = newest  # an upload takes its time, and who is healthy may have changed meanwhile
        if self.head.body_length == CHUNKED:
            with_length(self._outgoing, len(buffer))
        body = bytes(buffer)
        self._replay = Replay(len(body))
        self._replay.keep(body)
        self._replay.wait(body)
        self._first_attempt()
        if self._copy is not None:
            self._copy.on_request_body(body, ended=True)

    def on_upstream_full(self) -> None:
        self._client.hold()

    def on_upstream_drained(self) -> None:
        self._client.go_on()

    # -- the answer, from upstream

    def on_interim(self, head: ResponseHead) -> None:
        """A 1xx: passed on to clients that know it, a 100 only to one that waits for it."""
        if self.head.version == 11 and (head.status != 100 or self.head.expects_continue):
            self._client.write(forwarding.interim(head))

    def on_answer_head(self, connection: Upstream, head: ResponseHead) -> bool:
        """The final answer's head. False when it is dropped, for another attempt."""
        service = self._forward.service
        policy = service.retries
        now = self._runtime.now()
        self.attempts.answered(connection.endpoint.id, head.status, now=now)
        if service.policies.adaptive and head.status < 500:
            self._lane.took(self.attempts.took_s(connection.endpoint.id, now=now), now)
        if service.policies.takes_utilisation:
            load = self._runtime.book.load(connection.endpoint.id)
            outcomes.report_utilisation(load, head.forwarded_fields, now)
        if (
            head.status in policy.statuses
            and self._request_ended
            and self._replay.is_whole
            and policy.allows_status(head.status, method=self.head.method, retries_done=self.attempts.count - 1)
            and (len(self.attempts.running) > 1 or self._take_from_budget())
        ):
            self._drop_answer(connection, head.status)
            return False
        if len(self.attempts.running) > 1:
            self.attempts.drop_all_but(connection.endpoint.id)
        self._upstream = connection
        self.endpoint = connection.endpoint
        self.status = head.status
        if self._stay is not None:
            self._tell_session(self._stay, connection.endpoint)
        if head.status == 101:
            self._open_tunnel(connection, head)
            return True
        shaping = self._forward.route.shaping
        if shaping is not None and shaping.answer is not None:
            return self._shape_answer(shaping.answer, head)
        self.begin_answer(head)
        return True

    def _tell_session(self, stay: Stay, endpoint: Endpoint) -> None:
        runtime = self._runtime
        self._session_line = stay.answered(endpoint, self.status, wall=runtime.steady_wall(), rng=runtime.rng)
        runtime.sessions.count(endpoint.service, stay.outcome, stay.why)
        if stay.number is not None and not endpoint.is_gateway and (self._session_line or stay.is_kept):
            runtime.sessions.seen(stay.number, endpoint.id)

    def begin_answer(self, head: ResponseHead) -> None:
        """This is the head that the client gets, with the first bytes of the body or before them."""
        close = self.close_after or not self.head.keep_alive or self._runtime.is_draining or not self._request_ended
        self._head_out, self._is_chunking_answer, self.close_after = forwarding.response(
            head,
            via_line=self._client.via_line + self._session_line if self._session_line else self._client.via_line,
            request_id=self.request_id,
            client_version=self.head.version,
            bodiless=self.head.method == "HEAD" or head.status in (204, 304),
            close=close,
        )
        self._is_event_stream = self._is_chunking_answer and EVENT_STREAM in head.forwarded_fields
        if self._is_event_stream:
            self._give_place_back()

    def _shape_answer(self, rules: AnswerRules, head: ResponseHead) -> bool:
        """False when it was refused."""
        shaped = ShapedAnswer(self, rules, self.head, self._runtime.off_loop)
        signer = self._snapshot.routing.signer
        if shaped.take_head(head, self._forward.service.id, signer, is_secure=self._client.peer.is_secure):
            self._shaped = shaped
        return not self.is_over

    def _drop_answer(self, connection: Upstream, status: int) -> None:
        """Try elsewhere; the rest of this answer is not waited for."""
        self.attempts.end(connection.endpoint.id)
        self.attempts.failures.append((connection.endpoint.id, f"status {status}"))
        connection.close()
        if not self.attempts.running:
            self._upstream = None
            self._retry()

    def flush_head(self) -> None:
        """No body has come yet: the head must not wait for it."""
        if self._head_out:
            self.answer_started = True
            self._client.write(self._head_out)
            self._head_out = b""

    def on_answer_body(self, data: bytes, *, ended: bool, is_shaped: bool = False) -> None:
        """Body bytes, without the endpoint's own framing; `ended` with the last."""
        if self._shaped is not None and not is_shaped:
            if ended:
                self._settle()
            self._shaped.take_body(data, ended=ended)
            return
        self._bytes_out += len(data)
        if self._is_chunking_answer:
            data = (chunk(data) if data else b"") + (LAST_CHUNK if ended else b"")
        if self._head_out:
            data = self._head_out + data
            self._head_out = b""
        self.answer_started = True
        if data:
            self._client.write(data)
        if ended:
            if not is_shaped:
                self._settle()
            self._finish("", "")

    def write_shaped(self, data: bytes, *, ended: bool) -> None:
        """What the body has become."""
        self.on_answer_body(data, ended=ended, is_shaped=True)

    def _settle(self) -> None:
        """The endpoint has done its part."""
        upstream, endpoint = self._upstream, self.endpoint
        if endpoint is not None:
            self.attempts.end(endpoint.id)
            if endpoint.health == "down":
                self._runtime.trial_passed(endpoint.id)
        if upstream is not None:
            self._upstream = None
            upstream.release(may_reuse=self._request_ended, keep_s=self._forward.service.keep_alive_s)
        service = self._forward.service
        if service.hedges_at_p95:
            self._lane.durations.add(self._runtime.now() - self._started_at)

    # -- a tunnel

    def _open_tunnel(self, connection: Upstream, head: ResponseHead) -> None:
        self.answer_started = True
        self._give_place_back()
        lines = self._client.via_line + self._session_line
        self._client.write(forwarding.switching(head, via_line=lines, request_id=self.request_id))
        self._tunnel = Tunnel(self._client, connection, self._on_tunnel_end)
        connection.tunnel = self._tunnel
        self._runtime.book.load(connection.endpoint.id).streams += 1
        self._client.open_tunnel(self._tunnel)

    def _on_tunnel_end(self, reason: str) -> None:
        if self._tunnel is not None:
            self._bytes_in, self._bytes_out = self._tunnel.bytes_in, self._tunnel.bytes_out
        if self.endpoint is not None:
            self._runtime.book.load(self.endpoint.id).streams -= 1
            self.attempts.end(self.endpoint.id)
        self._finish(reason, "")

    # -- the client

    def on_client_slow(self) -> None:
        self._is_client_slow = True
        if self._upstream is not None:
            self._upstream.pause_reading()

    def on_client_drained(self) -> None:
        self._is_client_slow = False
        if self._upstream is not None and (self._shaped is None or not self._shaped.is_busy):
            self._upstream.resume_reading(self._forward.service.idle_timeout_s)

    def hold_upstream(self) -> None:
        """A thread works on what it sent last."""
        if self._upstream is not None:
            self._upstream.pause_reading()

    def go_on_upstream(self) -> None:
        """The thread is done."""
        if self._upstream is not None and not self._is_client_slow:
            self._upstream.resume_reading(self._forward.service.idle_timeout_s)

    def on_client_gone(self) -> None:
        """The client left: what is under way for it is worth nothing."""
        if not self.is_over:
            self.attempts.drop_all_but(None)
            if not self.answer_started:
                self.status = 0
            self._finish(reasons.CLIENT_LEFT, "the client closed its connection")

    def refuse(self, answer: Answer) -> None:
        """It ends here, with this answer, or cut where one has begun."""
        self.attempts.drop_all_but(None)
        if self.answer_started:
            self._client.abort()
            self._finish(answer.reason, answer.detail)
        else:
            self._give_up(answer)

    def cut(self, cut: Cut) -> None:
        """What is under way there is waited for no longer: tried elsewhere where that is safe, else ended."""
        endpoint = self.endpoint
        if self.is_over or endpoint is None:
            return
        if self._tunnel is not None:
            if cut.covers(endpoint.id):
                self._tunnel.cut(cut)
        elif self.answer_started and self._is_event_stream and self._shaped is None:
            if cut.covers(endpoint.id):
                self._end_stream(cut)
        elif cut.endpoints is None:
            self.refuse(answer_to(DrainCut(cut.detail)))
        else:
            for name in [name for name in self.attempts.running if cut.covers(name)]:
                self._cut_attempt(name, cut)

    def _cut_attempt(self, endpoint_id: str, cut: Cut) -> None:
        connection = self.attempts.running[endpoint_id]
        if connection is not None and not self.is_over:
            self.attempts.end(endpoint_id)
            self.attempts.failures.append((endpoint_id, cut.detail))
            connection.close()
            self._after_failure(DrainCut(cut.detail))

    def _end_stream(self, cut: Cut) -> None:
        """Whoever reads events knows that a stream may end, and asks again."""
        self.attempts.drop_all_but(None)
        self._upstream = None
        self._client.write(LAST_CHUNK)
        self.close_after = True
        self._finish(reasons.DRAIN_DEADLINE, cut.detail)

    # -- the end

    def _give_up(self, answer: Answer) -> None:
        self.status = answer.status
        route = self._forward.route
        if route.is_audited and answer.rule is not None:
            self._runtime.audit(denial(route, self._snapshot.routing.region, answer, self.request_id))
        over: PassedOver = ()
        if answer.reason == reasons.STICKY_ENDPOINT_AWAY and self._stay is not None:
            self._runtime.sessions.count(self._forward.service.id, self._stay.outcome, self._stay.why)
        if answer.reason in (reasons.NO_HEALTHY_ENDPOINT, reasons.STICKY_ENDPOINT_AWAY):
            over = passed_over(self._snapshot, self._forward, self._runtime.book, self._runtime.now())
        self._finish(answer.reason, answer.detail, over, answer=answer)

    def _finish(self, reason: str, detail: str, over: PassedOver = (), answer: Answer | None = None) -> None:
        self.is_over = True
        if self._waits_since is not None:
            self._lane.bulkhead.leave(self)
            self._stop_waiting()
        self._give_place_back()
        if self._buffered_bytes:
            self._runtime.buffers.free(self._buffered_bytes)
            self._buffered_bytes = 0
        if self._shaped is not None:
            self._shaped.is_dropped = True
        if self._timers is not None:
            for timer in self._timers:
                timer.cancel()
        if self._copy is not None:
            self._copy.on_original_over()
        runtime, endpoint = self._runtime, self.endpoint
        region = endpoint.region if endpoint else ""
        self._client.on_exchange_over(answer)
        runtime.count(self._forward.route.id, region, self.status, reason, self._started_at)
        if runtime.logs_access:
            runtime.log(self._outcome(reason, detail, over))

    def _outcome(self, reason: str, detail: str, over: PassedOver) -> Outcome:
        client, head, endpoint = self._client, self.head, self.endpoint
        return Outcome(
            listener=client.listener,
            client_ip=client.peer.client_ip,
            request_id=self.request_id,
            method=head.method,
            host=head.host,
            path=head.path,
            status=self.status,
            reason=reason,
            detail=detail,
            route=self._forward.route.id,
            region=endpoint.region if endpoint else "",
            endpoint=endpoint.id if endpoint else "",
            attempts=self.attempts.count,
            started_at=self._started_at,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            passed_over=over,
            failures=tuple(self.attempts.failures),
            mirror=self._copy.told if self._copy is not None else "",
            session=self._stay.sentence if self._stay is not None else "",
            waited_s=self._waited_s,
        )
