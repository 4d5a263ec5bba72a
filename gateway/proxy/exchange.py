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

from gateway.core import forwarding, reasons
from gateway.core.chunked import LAST_CHUNK, chunk
from gateway.core.decision import failed_everywhere, next_endpoint, no_endpoint
from gateway.core.explain import passed_over
from gateway.core.gate import Endpoint
from gateway.core.head import CHUNKED, RequestHead
from gateway.core.problems import Answer
from gateway.core.replay import NO_BODY, Replay
from gateway.core.response import ResponseHead
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.errors import ConnectFailed, UpstreamError
from gateway.proxy.attempts import Attempts
from gateway.proxy.outcome import Outcome, PassedOver
from gateway.proxy.ports import Runtime
from gateway.proxy.roles import Client, Upstream
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.upstream import connect


class Exchange:
    """A request that is being forwarded."""

    __slots__ = (
        "_bytes_in",
        "_bytes_out",
        "_client",
        "_forward",
        "_head_out",
        "_is_chunking_answer",
        "_replay",
        "_request_ended",
        "_runtime",
        "_snapshot",
        "_started_at",
        "_timers",
        "_tunnel",
        "_upstream",
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
        self._bytes_in = 0
        self._bytes_out = 0
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
        self._tunnel: Tunnel | None = None
        self._timers: list[asyncio.TimerHandle] | None = None

    @property
    def idle_timeout_s(self) -> float:
        return self._forward.service.idle_timeout_s

    @property
    def has_whole_request(self) -> bool:
        return self._request_ended

    # -- attempts

    def start(self) -> None:
        """The first attempt."""
        runtime, service = self._runtime, self._forward.service
        runtime.budget(service.id).requests += 1
        if service.has_timers:
            self._timers = []
            if service.total_timeout_s is not None:
                self._timers.append(runtime.loop.call_later(service.total_timeout_s, self._on_total_timeout))
            hedge_after_s = service.hedge_after_s
            if service.hedges_at_p95:
                hedge_after_s = runtime.durations(service.id).quantile(0.95)
            if hedge_after_s is not None and self.head.method in service.retries.methods:
                self._timers.append(runtime.loop.call_later(hedge_after_s, self._hedge))
        self._attempt(self._next_endpoint())

    def _next_endpoint(self) -> Endpoint | None:
        runtime = self._runtime
        return next_endpoint(
            self._snapshot, self._forward, runtime.book, tried=self.attempts.tried, rng=runtime.rng, now=runtime.now()
        )

    def _attempt(self, endpoint: Endpoint | None) -> None:
        if endpoint is None:
            self._give_up(no_endpoint(self._forward))
            return
        runtime, service = self._runtime, self._forward.service
        self.endpoint = endpoint
        connection = runtime.pool.take(endpoint)
        if connection is not None:
            self.attempts.begin(endpoint)
            self._send(connection)
        elif runtime.pool.open_by_service.get(service.id, 0) < max(1, service.max_connections // runtime.workers):
            self.attempts.begin(endpoint)
            runtime.spawn(self._connect(endpoint), "connect")
        elif not self.attempts.running:
            self._give_up(
                Answer(
                    status=503,
                    reason=reasons.UPSTREAM_CONNECTION_LIMIT,
                    detail=f"all {service.max_connections} connections that service {service.id} may have are in use",
                    proxy_status="connection_limit_reached",
                    retry_after_s=1,
                )
            )

    async def _connect(self, endpoint: Endpoint) -> None:
        try:
            connection = await connect(self._runtime, endpoint, timeout_s=self._forward.service.connect_timeout_s)
        except ConnectFailed as error:
            self.on_failed(endpoint.id, error)
            return
        if endpoint.id in self.attempts.running:
            self._send(connection)
        else:
            connection.close()  # the client left, or another copy was answered

    def _send(self, connection: Upstream) -> None:
        endpoint = connection.endpoint
        self.attempts.running[endpoint.id] = connection
        self._upstream = connection
        peer = self._client.peer
        authority = f"{endpoint.host}:{endpoint.port}".encode()
        data = peer.forwarding.request(self.head, self.request_id, authority, peer.origin)
        if self.head.body_length:
            data += self._replay.take_waiting()
            self._client.go_on()
        service = self._forward.service
        connection.send(self, data, timeout_s=service.try_timeout_s if self._request_ended else service.idle_timeout_s)

    def on_failed(self, endpoint_id: str, error: UpstreamError) -> None:
        """An attempt failed: try elsewhere if that is safe, else tell the client."""
        if endpoint_id not in self.attempts.running:
            return
        self.attempts.fail(endpoint_id, error, now=self._runtime.now())
        if self.answer_started:
            self._client.abort()  # half an answer must not look like a whole one
            self._finish(error.reason, error.detail)
            return
        if self.attempts.running:
            return  # the other copy may still be answered
        self._upstream = None
        if (
            self._may_send_again(error)
            and self._forward.service.retries.allows_error(
                error, method=self.head.method, retries_done=self.attempts.count - 1
            )
            and self._take_from_budget()
        ):
            self._retry()
        else:
            self._give_up(failed_everywhere(self._forward, error))

    def _may_send_again(self, error: UpstreamError) -> bool:
        if isinstance(error, ConnectFailed):
            return True  # nothing was sent: what has come of the body still waits
        return self._request_ended and self._replay.is_whole

    def _take_from_budget(self) -> bool:
        service = self._forward.service
        return self._runtime.budget(service.id).take(service.retries, now=self._runtime.now())

    def _retry(self) -> None:
        if self._request_ended:
            self._replay.rewind()
        upcoming = self._next_endpoint()
        if upcoming is not None:
            self._attempt(upcoming)
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
        if self.head.body_length == CHUNKED:
            data = chunk(data) if data else b""
            if ended:
                data += LAST_CHUNK
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
        policy = self._forward.service.retries
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
        if head.status == 101:
            self._open_tunnel(connection, head)
            return True
        close = self.close_after or not self.head.keep_alive or self._runtime.is_draining or not self._request_ended
        self._head_out, self._is_chunking_answer, self.close_after = forwarding.response(
            head,
            via_line=self._client.via_line,
            request_id=self.request_id,
            client_version=self.head.version,
            bodiless=self.head.method == "HEAD" or head.status in (204, 304),
            close=close,
        )
        return True

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

    def on_answer_body(self, data: bytes, *, ended: bool) -> None:
        """Body bytes, without the endpoint's own framing; `ended` with the last."""
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
            self._complete()

    def _complete(self) -> None:
        upstream, endpoint = self._upstream, self.endpoint
        if endpoint is not None:
            self.attempts.end(endpoint.id)
            if endpoint.health == "down":
                self._runtime.trial_passed(endpoint.id)
        if upstream is not None:
            upstream.release(may_reuse=self._request_ended)
        service = self._forward.service
        if service.hedges_at_p95:
            self._runtime.durations(service.id).add(self._runtime.now() - self._started_at)
        self._finish("", "")

    # -- a tunnel

    def _open_tunnel(self, connection: Upstream, head: ResponseHead) -> None:
        self.answer_started = True
        self._client.write(forwarding.switching(head, via_line=self._client.via_line, request_id=self.request_id))
        self._tunnel = Tunnel(self._client, connection, self._on_tunnel_end)
        connection.tunnel = self._tunnel
        self._client.open_tunnel(self._tunnel)

    def _on_tunnel_end(self, reason: str) -> None:
        if self._tunnel is not None:
            self._bytes_in, self._bytes_out = self._tunnel.bytes_in, self._tunnel.bytes_out
        if self.endpoint is not None:
            self.attempts.end(self.endpoint.id)
        self._finish(reason, "")

    # -- the client

    def on_client_slow(self) -> None:
        if self._upstream is not None:
            self._upstream.pause_reading()

    def on_client_drained(self) -> None:
        if self._upstream is not None:
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

    # -- the end

    def _give_up(self, answer: Answer) -> None:
        self.status = answer.status
        over = passed_over(self._snapshot, self._forward) if answer.reason == reasons.NO_HEALTHY_ENDPOINT else ()
        self._finish(answer.reason, answer.detail, over, answer=answer)

    def _finish(self, reason: str, detail: str, over: PassedOver = (), answer: Answer | None = None) -> None:
        self.is_over = True
        if self._timers is not None:
            for timer in self._timers:
                timer.cancel()
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
        )
