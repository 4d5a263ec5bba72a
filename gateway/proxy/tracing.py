"""What is remembered of a request that is recorded, and the spans that are made of it once it is over.

    Tracer.begin(head)   None for nearly all requests: nothing else is done for them
                   └──>  Trace ── began, carried, answered, failed, ended: times and ids, attempt by attempt
                           └─ finish(outcome) ──> a server span, a client span for each attempt ──> Spans

A request that no exchange was made for (refused at the door, no route, no usable head) has a server span only.
What a span is called and says: OpenTelemetry's semantic conventions 1.44 for HTTP, and `tidegate.*` for what is ours.
Paths are told, queries are not: there are secrets in them. The SDK is the exporter's business (tidegate/node/spans.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from config.models import Config
from gateway.core.gate import Endpoint
from gateway.core.head import RequestHead
from gateway.core.trace_context import Recorded, Sampling, with_traceparent
from gateway.errors import UpstreamError
from gateway.proxy.outcome import Outcome
from gateway.proxy.peer import Peer

ABANDONED = "abandoned"
"""An attempt that was ended without a fault: another copy was answered first, the client left, a drain's time is up."""

Attributes = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Span:
    """One, over and done with. Times are Unix nanoseconds."""

    name: str
    kind: Literal["server", "client"]
    trace_id: int
    span_id: int
    parent_id: int | None
    is_parent_remote: bool
    state: bytes
    started_ns: int
    ended_ns: int
    attributes: Attributes
    fault: str | None
    """What went wrong, where something did."""


class Spans(Protocol):
    """Who takes spans away. Nothing of it ever waits, but for `close`."""

    def adopt(self, config: Config) -> None:
        """Where to, from now on; nowhere, where tracing is off."""

    def add(self, spans: list[Span]) -> None: ...
    def take_dropped(self) -> int:
        """Spans, since the last call, that nobody got."""

    async def close(self) -> None:
        """Send what is left, within a bound of its own."""


class Tracer:
    """One data plane's, by one configuration. `bits` gives random ones, `now` is monotonic, `wall` Unix time."""

    def __init__(
        self,
        config: Config,
        spans: Spans,
        *,
        bits: Callable[[int], int],
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        tracing = config.observability.tracing
        self.propagates = "w3c" in tracing.propagation
        self.patterns: Mapping[str, str] = {route.id: route.match.path for route in config.routes}
        """Of routes, by id: `http.route`."""
        self._sampling = Sampling(tracing.sample, bits=bits, now=now)
        self._bits = bits
        self.now = now
        self._wall = wall
        self._spans = spans

    def begin(self, head: RequestHead | None, peer: Peer) -> Trace | None:
        """None for a request that is not recorded. `head` is None where there was no usable one."""
        is_believed = peer.origin is not None  # a proxy that we trust, or a gateway that has proven itself
        recorded = self._sampling.decide(head if self.propagates else None, is_believed=is_believed)
        return Trace(self, recorded, head) if recorded is not None else None

    def refuse(self, outcome: Outcome, head: RequestHead | None, peer: Peer) -> None:
        """A request is over for which there was no exchange."""
        trace = self.begin(head, peer)
        if trace is not None:
            trace.finish(outcome)

    def new_span_id(self) -> int:
        return self._bits(64) or 1

    def unix_ns(self) -> Callable[[float], int]:
        """What turns monotonic seconds into Unix nanoseconds, by the clocks as they are now."""
        now, wall_ns = self.now(), int(self._wall() * 1e9)
        return lambda at: wall_ns - int((now - at) * 1e9)

    def add(self, spans: list[Span]) -> None:
        self._spans.add(spans)


class AttemptTrace:
    """One attempt, as it goes on."""

    __slots__ = ("began_at", "ended_at", "endpoint", "error", "path", "span_id", "status")

    def __init__(self, endpoint: Endpoint, *, span_id: int, now: float) -> None:
        self.endpoint = endpoint
        self.span_id = span_id
        self.began_at = now
        self.ended_at: float | None = None
        self.path = ""
        """As it was sent; empty where nothing was."""
        self.status = 0
        self.error: UpstreamError | None = None

    def attributes(self, method: str, number: int) -> Attributes:
        """`number`: 0 for the first attempt."""
        endpoint, error = self.endpoint, self.error
        told: Attributes = {
            "http.request.method": method,
            "server.address": endpoint.path or endpoint.host,
            "tidegate.region": endpoint.region,
            "tidegate.endpoint": endpoint.id,
        }
        if endpoint.path is None:
            told["server.port"] = endpoint.port
            if self.path:
                scheme = "http" if endpoint.tls is None else "https"
                told["url.full"] = f"{scheme}://{endpoint.host}:{endpoint.port}{self.path}"
        if number:
            told["http.request.resend_count"] = number
        if self.status:
            told["http.response.status_code"] = self.status
        if error is not None:
            told["error.type"] = error.proxy_status
            told["tidegate.reason"] = error.reason
        elif self.status >= 400:
            told["error.type"] = str(self.status)
        elif not self.status:
            told["tidegate.reason"] = ABANDONED
        return told

    @property
    def fault(self) -> str | None:
        if self.error is not None:
            return self.error.detail
        return f"status {self.status}" if self.status >= 400 else None


class Trace:
    """One recorded request's."""

    __slots__ = ("_attempts", "_head", "_recorded", "_running", "_span_id", "_tracer")

    def __init__(self, tracer: Tracer, recorded: Recorded, head: RequestHead | None) -> None:
        self._tracer = tracer
        self._recorded = recorded
        self._head = head
        self._span_id = tracer.new_span_id()
        self._attempts: list[AttemptTrace] = []
        self._running: dict[str, AttemptTrace] = {}
        """By endpoint id; it stays until the next attempt there."""

    # -- what happens to its attempts

    def began(self, endpoint: Endpoint) -> None:
        attempt = AttemptTrace(endpoint, span_id=self._tracer.new_span_id(), now=self._tracer.now())
        self._attempts.append(attempt)
        self._running[endpoint.id] = attempt

    def carried(self, head: bytes, endpoint_id: str) -> bytes:
        """A rendered head as this attempt sends it: the caller's traceparent replaced by our span's."""
        attempt = self._running[endpoint_id]
        attempt.path = head.split(b" ", 2)[1].partition(b"?")[0].decode("ascii", "backslashreplace")
        if not self._tracer.propagates:
            return head
        recorded = self._recorded
        keeps_state = recorded.parent_id is not None
        return with_traceparent(head, recorded.trace_id, attempt.span_id, keeps_state=keeps_state)

    def answered(self, endpoint_id: str, status: int) -> None:
        self._running[endpoint_id].status = status

    def failed(self, endpoint_id: str, error: UpstreamError) -> None:
        self._running[endpoint_id].error = error

    def ended(self, endpoint_id: str) -> None:
        self._running[endpoint_id].ended_at = self._tracer.now()

    # -- the end

    def finish(self, outcome: Outcome) -> None:
        """It is over: its spans are made and handed on."""
        tracer, recorded, ended_at = self._tracer, self._recorded, self._tracer.now()
        unix_ns = tracer.unix_ns()
        spans = [
            Span(
                name=self._name(outcome),
                kind="server",
                trace_id=recorded.trace_id,
                span_id=self._span_id,
                parent_id=recorded.parent_id,
                is_parent_remote=True,
                state=recorded.state,
                started_ns=unix_ns(outcome.started_at),
                ended_ns=unix_ns(ended_at),
                attributes=self._attributes(outcome),
                fault=(outcome.detail or f"status {outcome.status}") if self._error_type(outcome) else None,
            )
        ]
        for number, attempt in enumerate(self._attempts):
            spans.append(
                Span(
                    name=outcome.method,
                    kind="client",
                    trace_id=recorded.trace_id,
                    span_id=attempt.span_id,
                    parent_id=self._span_id,
                    is_parent_remote=False,
                    state=recorded.state,
                    started_ns=unix_ns(attempt.began_at),
                    ended_ns=unix_ns(attempt.ended_at if attempt.ended_at is not None else ended_at),
                    attributes=attempt.attributes(outcome.method, number),
                    fault=attempt.fault,
                )
            )
        tracer.add(spans)

    def _name(self, outcome: Outcome) -> str:
        """Of few different ones: never the path."""
        pattern = self._tracer.patterns.get(outcome.route)
        method = outcome.method or "HTTP"
        return f"{method} {pattern}" if pattern is not None else method

    def _error_type(self, outcome: Outcome) -> str:
        """Empty where nothing went wrong, or what did was the client's doing."""
        if outcome.status >= 500:
            return outcome.reason or str(outcome.status)
        was_cut = any(attempt.error is not None and attempt.status for attempt in self._attempts)
        return outcome.reason if was_cut and outcome.status < 400 else ""

    def _attributes(self, outcome: Outcome) -> Attributes:
        told: Attributes = {
            "client.address": outcome.client_ip,
            "tidegate.request_id": outcome.request_id.decode("ascii", "backslashreplace"),
            "tidegate.listener": outcome.listener,
        }
        head = self._head
        if head is not None:
            told["http.request.method"] = outcome.method
            told["url.path"] = outcome.path.decode("ascii", "backslashreplace")
            told["network.protocol.version"] = "1.1" if head.version == 11 else "1.0"
        known: Attributes = {
            "server.address": outcome.host,
            "http.route": self._tracer.patterns.get(outcome.route, ""),
            "http.response.status_code": outcome.status,
            "error.type": self._error_type(outcome),
            "tidegate.route": outcome.route,
            "tidegate.region": outcome.region,
            "tidegate.endpoint": outcome.endpoint,
            "tidegate.reason": outcome.reason,
            "tidegate.detail": outcome.detail,
            "tidegate.session": outcome.session,
            "tidegate.waited_ms": round(outcome.waited_s * 1000),
        }
        told.update({name: value for name, value in known.items() if value})
        return told


def trace_of(tracer: Tracer | None, head: RequestHead, peer: Peer) -> Trace | None:
    """None for a request that is not recorded."""
    return tracer.begin(head, peer) if tracer is not None else None


def tracer_of(
    config: Config,
    spans: Spans | None,
    *,
    bits: Callable[[int], int],
    now: Callable[[], float],
    wall: Callable[[], float],
) -> Tracer | None:
    """None where nothing is traced."""
    if spans is None:
        return None
    spans.adopt(config)
    return Tracer(config, spans, bits=bits, now=now, wall=wall) if config.observability.tracing.enabled else None
