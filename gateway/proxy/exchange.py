"""One request and its attempts: from a checked head to an answer, without a task or an `await` where nothing waits.

    decide ──> Refusal: written by the client's connection
         └──> Forward: endpoint ──> pooled connection ──> sent within this call
                           │            └─ none idle: connect, the one thing that waits
                           ├─ attempt failed, retry safe and within budget: the next endpoint
                           └─ no answer after `hedge_after`: a second copy elsewhere; the first answer wins

The answer's head waits for the first bytes of its body, so that both leave in one write. Nothing of an attempt may be
retried once a byte of its answer has gone to the client.

This is the life of a plain request. What happens to few has a page of its own: sent once more (retrying.py), waiting
for a place (waiting.py), held whole first (whole_body.py), a session that sticks (sticky.py), a copy (mirror.py), an
answer that is changed (shaped.py), a tunnel (tunnel.py), the deadline of a drain (cutting.py).
"""

from __future__ import annotations

import asyncio

from gateway.core import forwarding, outcomes, reasons
from gateway.core.audit import denial, transfer
from gateway.core.buffering import BUFFERS_FULL
from gateway.core.chunked import LAST_CHUNK, chunk
from gateway.core.data_service import operation_line, with_line
from gateway.core.decision import next_endpoint, no_endpoint
from gateway.core.explain import passed_over
from gateway.core.frames import Cut
from gateway.core.gate import Endpoint
from gateway.core.hash_key import key_of
from gateway.core.head import CHUNKED, RequestHead
from gateway.core.outgoing import with_length
from gateway.core.plans import RoutePlan
from gateway.core.problems import Answer, answer_to
from gateway.core.replay import NO_BODY, Replay
from gateway.core.response import ResponseHead
from gateway.core.shaping import AnswerRules, Shaping
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.core.sticky_cookie import StickyCookie
from gateway.errors import AnswerTimeout, ConnectFailed, RequestRefused, UpstreamError
from gateway.proxy import cutting, retrying
from gateway.proxy.attempts import Attempts
from gateway.proxy.mirror import Copy, is_picked
from gateway.proxy.outcome import PassedOver
from gateway.proxy.ports import Runtime
from gateway.proxy.recording import outcome_of
from gateway.proxy.roles import Client, Upstream
from gateway.proxy.shaped import ShapedAnswer
from gateway.proxy.sticky import StickySession
from gateway.proxy.tracing import trace_of
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.upstream import connect
from gateway.proxy.waiting import Waiting
from gateway.proxy.whole_body import WholeBody

EVENT_STREAM = b"text/event-stream"


class Exchange:
    """A request that is being forwarded."""

    __slots__ = (
        "_has_place",
        "_head_out",
        "_is_chunking_answer",
        "_is_client_slow",
        "_is_event_stream",
        "_key",
        "_operation_line",
        "_outgoing",
        "_shaped",
        "_snapshot",
        "_timers",
        "_upstream",
        "_whole",
        "answer_started",
        "attempts",
        "bytes_in",
        "bytes_out",
        "client",
        "close_after",
        "endpoint",
        "forward",
        "has_whole_request",
        "head",
        "is_over",
        "lane",
        "mirror_copy",
        "replay",
        "request_id",
        "runtime",
        "session",
        "started_at",
        "status",
        "tunnel",
        "waiting",
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
        self.runtime = runtime
        self.client = client
        self._snapshot = snapshot
        self.forward = forward
        self.head = head
        self.request_id = request_id
        self.started_at = started_at
        self.endpoint: Endpoint | None = None
        """Of the attempt made last; of the answer, once there is one."""
        self.attempts = Attempts(runtime.book, trace_of(runtime.tracer, head, client.peer))
        self.status = 0
        self.bytes_in = self.bytes_out = 0
        self.close_after = False
        self.answer_started = False
        """Whether a byte of the final answer has gone to the client."""
        self.is_over = False
        self._upstream: Upstream | None = None
        """Where the request's body goes; where the answer comes from, once it has begun."""
        self.has_whole_request = head.body_length == 0
        self.replay = Replay(forward.service.replay_bound) if head.body_length else NO_BODY
        self._head_out = b""
        self._is_chunking_answer = False
        self._is_event_stream = False
        self._is_client_slow = False
        self._outgoing = head
        """What endpoints get: the head itself, unless the route changes it."""
        self._shaped: ShapedAnswer | None = None
        """What the answer's body goes through, where the route asks for that."""
        self._whole: WholeBody | None = None
        """Where all of the body is received before anybody gets it."""
        self.mirror_copy: Copy | None = None
        """For another service, where the route has a mirror and this request was picked."""
        self.tunnel: Tunnel | None = None
        self._operation_line: bytes | None = None
        """What makes a data write safe to send again; the same in every attempt."""
        self._timers: list[asyncio.TimerHandle] | None = None
        self.session: StickySession | None = None
        """Where sessions stick."""
        self.lane = runtime.lane(forward.service.id)
        self._has_place = False
        """Whether it counts among its service's requests."""
        self.waiting: Waiting | None = None
        """For a place or a connection, if it ever had to."""
        hash_on = forward.service.balancing.hash_on
        self._key = key_of(hash_on, head, client.peer.client_ip) if hash_on else b""

    @property
    def idle_timeout_s(self) -> float:
        return self.forward.service.idle_timeout_s

    @property
    def route(self) -> RoutePlan:
        return self.forward.route

    @property
    def is_event_stream_open(self) -> bool:
        """Whether events go to the client as they come: such an answer may end after any of them."""
        return self._is_event_stream and self.answer_started and self._shaped is None

    # -- the request is sent

    def start(self) -> None:
        """The first attempt."""
        runtime, service = self.runtime, self.forward.service
        self.lane.budget.requests += 1
        shaping = self.forward.route.shaping
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
        if shaping is not None and shaping.buffers_request and not self.has_whole_request:
            self._whole = WholeBody(runtime.buffers)
            if self.head.expects_continue:
                self.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._first_attempt()

    def _first_attempt(self) -> None:
        runtime = self.runtime
        if self._timers is not None:
            hedge_after_s = retrying.hedge_after_s(self)
            if hedge_after_s is not None:
                self._timers.append(runtime.loop.call_later(hedge_after_s, retrying.hedge, self))
        if self.lane.enter():
            self._has_place = True
            if self.lane.openings.has_line:
                self.lane.openings.line_up(self.attempt_unless_over)
            else:
                self.attempt(self.next_endpoint())
        else:
            self._wait()
        if self.forward.route.mirror is not None and not self.is_over and is_picked(self.forward, self.head, runtime):
            self._begin_copy()

    def next_endpoint(self) -> Endpoint | None:
        """For the next attempt; None where there is none left."""
        runtime = self.runtime
        if self.session is not None:
            return self.session.next_endpoint(self._snapshot, self.forward, tried=self.attempts.tried, key=self._key)
        return next_endpoint(
            self._snapshot,
            self.forward,
            runtime.book,
            tried=self.attempts.tried,
            rng=runtime.rng,
            now=runtime.now(),
            key=self._key,
            current=runtime.snapshot,
        )

    def attempt(self, endpoint: Endpoint | None) -> None:
        """Send it there, as soon as there is a connection."""
        if endpoint is None:
            away = self.session.refusal(self.forward) if self.session is not None else None
            self.give_up(away or no_endpoint(self.forward))
            return
        runtime, service = self.runtime, self.forward.service
        self.endpoint = endpoint
        connection = runtime.pool.take(endpoint)
        if connection is not None:
            self.attempts.begin(endpoint, now=runtime.now())
            self._send(connection)
        elif self.lane.bulkhead.may_connect():
            # A hedge has no time to lose, and must not come back after the answer.
            if not self.attempts.running and not self.lane.openings.may_open(self.attempt_unless_over):
                return
            if self.lane.is_crowded():
                runtime.pool.make_room(service.id)
            self.attempts.begin(endpoint, now=runtime.now())
            self.lane.bulkhead.opening += 1
            runtime.spawn(self._connect(endpoint), "connect")
        elif not self.attempts.running:
            self._wait()

    async def _connect(self, endpoint: Endpoint) -> None:
        try:
            connection = await connect(self.runtime, endpoint, timeout_s=self.forward.service.connect_timeout_s)
        except ConnectFailed as error:
            self.on_failed(endpoint.id, error)
            return
        finally:
            self.lane.opened()
        if endpoint.id in self.attempts.running:
            self._send(connection)
        else:
            connection.close()  # the client left, or another copy was answered

    def _send(self, connection: Upstream) -> None:
        endpoint = connection.endpoint
        self.attempts.running[endpoint.id] = connection
        self._upstream = connection
        route = self.forward.route
        if route.is_audited and endpoint.region != self._snapshot.routing.region:
            self.runtime.audit(transfer(route, self._snapshot.routing.region, endpoint, self.request_id))
        peer = self.client.peer
        authority = f"{endpoint.host}:{endpoint.port}".encode()
        data = peer.forwarding.request(self._outgoing, self.request_id, authority, peer.origin)
        if self.attempts.trace is not None:
            data = self.attempts.trace.carried(data, endpoint.id)
        if self._operation_line is not None:
            data = with_line(data, self._operation_line)
        if endpoint.is_gateway:
            data = with_line(data, self.runtime.hops.line(self._snapshot, route, endpoint, self._outgoing, peer))
            if self.session is not None:
                data = with_line(data, self.session.hop_line)
        if self.head.body_length:
            data += self.replay.take_waiting()
            self.client.go_on()
        service = self.forward.service
        connection.send(
            self, data, timeout_s=service.try_timeout_s if self.has_whole_request else service.idle_timeout_s
        )

    # -- what some routes and services ask for first

    def _shape_request(self, shaping: Shaping) -> bool:
        """Whether there is something to send."""
        if shaping.request is not None:
            try:
                self._outgoing = shaping.request.apply(self.head)
            except RequestRefused as error:
                self.give_up(answer_to(error))
                return False
        return True

    def _find_session(self, cookie: StickyCookie) -> None:
        """Whose it is; the endpoint does not get to see how we know."""
        session = self.session = StickySession(self.runtime, cookie, self.head)
        self._outgoing = session.hidden_from(self._outgoing)
        self.forward = session.settle(self._snapshot, self.forward, self.client.peer.client_ip)

    def _begin_copy(self) -> None:
        copies = self.forward.route.mirror
        if copies is not None:
            service = self._snapshot.routing.services[copies.service]
            self.mirror_copy = Copy(self.runtime, copies, service, self._outgoing)
            self.mirror_copy.begin(self._snapshot, self.client.peer, self.request_id)

    # -- a place at its service

    def _wait(self) -> None:
        if self.waiting is None:
            self.waiting = Waiting(self, self.lane.bulkhead, self.forward.service, now=self.runtime.now)
        self.waiting.begin(has_place=self._has_place)

    def on_turn(self) -> None:
        """There is a place for it, and a connection to be had."""
        self._has_place = True
        self.attempt(self.next_endpoint())

    def _give_place_back(self) -> None:
        """Streams are not counted among requests."""
        if self._has_place:
            self._has_place = False
            self.lane.release()

    # -- its body, from the client

    def on_request_body(self, data: bytes, *, ended: bool) -> None:
        """Body bytes, without the client's own framing."""
        self.bytes_in += len(data)
        self.has_whole_request = ended
        if self._whole is not None:
            self._take_whole(self._whole, data)
            return
        if self.head.body_length == CHUNKED:
            data = chunk(data) if data else b""
            if ended:
                data += LAST_CHUNK
        if self.mirror_copy is not None:
            self.mirror_copy.on_request_body(data, ended=ended)
        self.replay.keep(data)
        upstream = self._upstream
        if upstream is not None:
            upstream.write(data)
            service = self.forward.service
            if upstream.is_awaiting_head:
                upstream.extend(service.try_timeout_s if ended else service.idle_timeout_s)
        else:
            self.replay.wait(data)
            if self.replay.is_full:
                self.client.hold()

    def _take_whole(self, whole: WholeBody, data: bytes) -> None:
        """More of a body that is received whole first; with the last of it, an endpoint is chosen."""
        if not whole.take(data):
            self.refuse(BUFFERS_FULL)
            return
        if not self.has_whole_request:
            return
        newest = self.runtime.snapshot
        if newest is not None and newest.routing is self._snapshot.routing:
            self._snapshot = newest  # an upload takes its time, and who is healthy may have changed meanwhile
        body = whole.body()
        if self.head.body_length == CHUNKED:
            with_length(self._outgoing, len(body))
        self.replay = Replay(len(body))
        self.replay.keep(body)
        self.replay.wait(body)
        self._first_attempt()
        if self.mirror_copy is not None:
            self.mirror_copy.on_request_body(body, ended=True)

    def on_upstream_full(self) -> None:
        self.client.hold()

    def on_upstream_drained(self) -> None:
        self.client.go_on()

    # -- the answer, from upstream

    def on_interim(self, head: ResponseHead) -> None:
        """A 1xx: passed on to clients that know it, a 100 only to one that waits for it."""
        if self.head.version == 11 and (head.status != 100 or self.head.expects_continue):
            self.client.write(forwarding.interim(head))

    def on_answer_head(self, connection: Upstream, head: ResponseHead) -> bool:
        """The final answer's head. False when it is dropped, for another attempt."""
        service = self.forward.service
        now = self.runtime.now()
        self.attempts.answered(connection.endpoint.id, head.status, now=now)
        if service.policies.adaptive and head.status < 500:
            self.lane.took(self.attempts.took_s(connection.endpoint.id, now=now), now)
        if service.policies.takes_utilisation:
            load = self.runtime.book.load(connection.endpoint.id)
            outcomes.report_utilisation(load, head.forwarded_fields, now)
        if head.status in service.retries.statuses and retrying.is_worth_another(self, head.status):
            self._drop_answer(connection, head.status)
            return False
        if len(self.attempts.running) > 1:
            self.attempts.drop_all_but(connection.endpoint.id)
        self._upstream = connection
        self.endpoint = connection.endpoint
        self.status = head.status
        if self.session is not None:
            self.session.answered(connection.endpoint, head.status)
        if head.status == 101:
            self._open_tunnel(connection, head)
            return True
        shaping = self.forward.route.shaping
        if shaping is not None and shaping.answer is not None:
            return self._shape_answer(shaping.answer, head)
        self.begin_answer(head)
        return True

    def begin_answer(self, head: ResponseHead) -> None:
        """This is the head that the client gets, with the first bytes of the body or before them."""
        close = self.close_after or not self.head.keep_alive or self.runtime.is_draining or not self.has_whole_request
        self._head_out, self._is_chunking_answer, self.close_after = forwarding.response(
            head,
            via_line=self.client.via_line if self.session is None else self.client.via_line + self.session.line,
            request_id=self.request_id,
            client_version=self.head.version,
            bodiless=self.head.method == "HEAD" or head.status in (204, 304),
            close=close,
        )
        self._is_event_stream = self._is_chunking_answer and EVENT_STREAM in head.forwarded_fields
        if self._is_event_stream:
            self._give_place_back()

    def flush_head(self) -> None:
        """No body has come yet: the head must not wait for it."""
        if self._head_out:
            self.answer_started = True
            self.client.write(self._head_out)
            self._head_out = b""

    def on_answer_body(self, data: bytes, *, ended: bool, is_shaped: bool = False) -> None:
        """Body bytes, without the endpoint's own framing; `ended` with the last."""
        if self._shaped is not None and not is_shaped:
            if ended:
                self._settle()
            self._shaped.take_body(data, ended=ended)
            return
        self.bytes_out += len(data)
        if self._is_chunking_answer:
            data = (chunk(data) if data else b"") + (LAST_CHUNK if ended else b"")
        if self._head_out:
            data = self._head_out + data
            self._head_out = b""
        self.answer_started = True
        if data:
            self.client.write(data)
        if ended:
            if not is_shaped:
                self._settle()
            self._finish("", "")

    def _settle(self) -> None:
        """The endpoint has done its part."""
        upstream, endpoint = self._upstream, self.endpoint
        if endpoint is not None:
            self.attempts.end(endpoint.id)
            if endpoint.health == "down":
                self.runtime.trial_passed(endpoint.id)
        if upstream is not None:
            self._upstream = None
            upstream.release(may_reuse=self.has_whole_request, keep_s=self.forward.service.keep_alive_s)
        service = self.forward.service
        if service.hedges_at_p95:
            self.lane.durations.add(self.runtime.now() - self.started_at)

    # -- an answer that is shaped, dropped, or a tunnel

    def _shape_answer(self, rules: AnswerRules, head: ResponseHead) -> bool:
        """False when it was refused."""
        shaped = ShapedAnswer(self, rules, self.head, self.runtime.off_loop)
        signer = self._snapshot.routing.signer
        if shaped.take_head(head, self.forward.service.id, signer, is_secure=self.client.peer.is_secure):
            self._shaped = shaped
        return not self.is_over

    def write_shaped(self, data: bytes, *, ended: bool) -> None:
        """What the body has become."""
        self.on_answer_body(data, ended=ended, is_shaped=True)

    def hold_upstream(self) -> None:
        """A thread works on what it sent last."""
        if self._upstream is not None:
            self._upstream.pause_reading()

    def go_on_upstream(self) -> None:
        """The thread is done."""
        if self._upstream is not None and not self._is_client_slow:
            self._upstream.resume_reading(self.forward.service.idle_timeout_s)

    def _drop_answer(self, connection: Upstream, status: int) -> None:
        """Try elsewhere; the rest of this answer is not waited for."""
        self.attempts.end(connection.endpoint.id)
        self.attempts.failures.append((connection.endpoint.id, f"status {status}"))
        connection.close()
        if not self.attempts.running:
            self._upstream = None
            retrying.retry(self)

    def _open_tunnel(self, connection: Upstream, head: ResponseHead) -> None:
        self.answer_started = True
        self._stop_timers()  # it is answered; how long a tunnel may last is not theirs to say
        self._give_place_back()
        lines = self.client.via_line if self.session is None else self.client.via_line + self.session.line
        self.client.write(forwarding.switching(head, via_line=lines, request_id=self.request_id))
        load = self.runtime.book.load(connection.endpoint.id)
        self.tunnel = connection.tunnel = Tunnel(self.client, connection, load, self._on_tunnel_end)
        self.client.open_tunnel(self.tunnel)

    def _on_tunnel_end(self, reason: str) -> None:
        if self.endpoint is not None:
            self.attempts.end(self.endpoint.id)
        self._finish(reason, "")

    # -- what goes wrong

    def on_failed(self, endpoint_id: str, error: UpstreamError) -> None:
        """An attempt failed: try elsewhere if that is safe, else tell the client."""
        if endpoint_id in self.attempts.running:
            now = self.runtime.now()
            if isinstance(error, AnswerTimeout):
                self.lane.took(self.attempts.took_s(endpoint_id, now=now), now)
            self.attempts.fail(endpoint_id, error, now=now)
            self.after_failure(error)

    def after_failure(self, error: UpstreamError) -> None:
        """An attempt has ended without a whole answer."""
        if self.answer_started:
            self.client.abort()  # half an answer must not look like a whole one
            self._finish(error.reason, error.detail)
        elif not self.attempts.running:  # else the other copy may still be answered
            self._upstream = None
            if self._shaped is not None:
                self._shaped.is_dropped = True
                self._shaped = None
            retrying.after_failure(self, error)

    def attempt_unless_over(self) -> None:
        """Time has passed: an attempt, wherever one may go now."""
        if not self.is_over:
            self.attempt(self.next_endpoint())

    def _stop_timers(self) -> None:
        if self._timers is not None:
            for timer in self._timers:
                timer.cancel()

    def _on_total_timeout(self) -> None:
        if not self.is_over:
            detail = f"no whole answer within {self.forward.service.total_timeout_s:g} s"
            self.refuse(Answer(504, reasons.TOTAL_TIMEOUT, detail, "http_response_timeout"))

    def refuse(self, answer: Answer) -> None:
        """It ends here, with this answer, or cut where one has begun."""
        self.attempts.drop_all_but(None)
        if self.answer_started:
            self.client.abort()
            self._finish(answer.reason, answer.detail)
        else:
            self.give_up(answer)

    def cut(self, cut: Cut) -> None:
        """What is under way there is waited for no longer."""
        cutting.cut(self, cut)

    def end_stream(self, reason: str, detail: str) -> None:
        """End an answer whose end nothing tells, between two pieces of it, as if it were whole."""
        self.attempts.drop_all_but(None)
        self._upstream = None
        self.client.write(LAST_CHUNK)
        self.close_after = True
        self._finish(reason, detail)

    # -- the client

    def on_client_slow(self) -> None:
        self._is_client_slow = True
        if self._upstream is not None:
            self._upstream.pause_reading()

    def on_client_drained(self) -> None:
        self._is_client_slow = False
        if self._upstream is not None and (self._shaped is None or not self._shaped.is_busy):
            self._upstream.resume_reading(self.forward.service.idle_timeout_s)

    def on_client_gone(self) -> None:
        """The client left: what is under way for it is worth nothing."""
        if not self.is_over:
            self.attempts.drop_all_but(None)
            if not self.answer_started:
                self.status = 0
            self._finish(reasons.CLIENT_LEFT, "the client closed its connection")

    # -- the end

    def give_up(self, answer: Answer) -> None:
        """It ends here: nothing of an answer has gone to the client, and this one does."""
        self.status = answer.status
        route = self.forward.route
        if route.is_audited and answer.rule is not None:
            self.runtime.audit(denial(route, self._snapshot.routing.region, answer, self.request_id))
        over: PassedOver = ()
        if answer.reason == reasons.STICKY_ENDPOINT_AWAY and self.session is not None:
            self.session.count(self.forward.service.id)
        if answer.reason in (reasons.NO_HEALTHY_ENDPOINT, reasons.STICKY_ENDPOINT_AWAY):
            over = passed_over(self._snapshot, self.forward, self.runtime.book, self.runtime.now())
        self._finish(answer.reason, answer.detail, over, answer=answer)

    def _finish(self, reason: str, detail: str, over: PassedOver = (), answer: Answer | None = None) -> None:
        self.is_over = True
        if self.waiting is not None:
            self.waiting.leave()
        self._give_place_back()
        if self._whole is not None:
            self._whole.free()
        if self._shaped is not None:
            self._shaped.is_dropped = True
        self._stop_timers()
        if self.mirror_copy is not None:
            self.mirror_copy.on_original_over()
        runtime, endpoint = self.runtime, self.endpoint
        region = endpoint.region if endpoint else ""
        self.client.on_exchange_over(answer)
        runtime.count(self.forward.route.id, region, self.status, reason, self.started_at)
        if runtime.logs_access:
            runtime.log(outcome_of(self, reason, detail, over))
        if self.attempts.trace is not None:
            self.attempts.trace.finish(outcome_of(self, reason, detail, over))
