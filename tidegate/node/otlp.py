"""Spans to a collector: OTLP over HTTP, in its JSON encoding, by the SDK's batches and on the SDK's thread.

    span ──> readable(...) ──> BatchSpanProcessor, its own thread ──> OtlpExporter: one POST a batch

Imports the SDK, of the extra `tracing`: only tidegate/node/spans.py imports this, and on a thread. The exporter is ours
because the SDK has none that speaks HTTP without more packages (docs/decisions/0069).

Source: OTLP 1.9, "OTLP/HTTP" and "JSON Protobuf Encoding"; opentelemetry-proto, trace/v1/trace.proto.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from importlib import metadata
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from gateway.proxy.tracing import Span

PATH: Final = "/v1/traces"
TIMEOUT_S: Final = 5.0
"""For each step: connecting, sending, every piece of the answer."""
TRIES: Final = 3
FIRST_WAIT_S: Final = 0.5
"""Before the second try; doubled before the third."""
MAX_WAIT_S: Final = 5.0
"""Of what a collector asks for by `Retry-After`: meanwhile, other spans wait."""
MAX_ANSWER_BYTES: Final = 64 * 1024
AGAIN: Final = frozenset((429, 502, 503, 504))
"""Statuses after which the same batch may be sent again."""
BATCH: Final = 512
EVERY_MS: Final = 1000

_KINDS: Final = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_FLAG_HAS_IS_REMOTE: Final = 0x100
_FLAG_IS_REMOTE: Final = 0x200
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


def resource(*, node_id: str, instance: str, region: str) -> Resource:
    """Who sends: nothing of it comes from the environment."""
    return Resource(
        {
            "service.name": "tidegate",
            "service.version": metadata.version("tidegate"),
            "service.instance.id": instance,
            "tidegate.node": node_id,
            "tidegate.node.region": region,
        }
    )


def scope() -> InstrumentationScope:
    return InstrumentationScope("tidegate", metadata.version("tidegate"))


def readable(span: Span, of: Resource, by: InstrumentationScope) -> ReadableSpan:
    """The span as the SDK has it."""
    state = TraceState.from_header([span.state.decode("ascii", "replace")]) if span.state else None
    parent = None
    if span.parent_id is not None:
        parent = SpanContext(span.trace_id, span.parent_id, span.is_parent_remote, _SAMPLED, state)
    return ReadableSpan(
        name=span.name,
        context=SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=_SAMPLED, trace_state=state),
        parent=parent,
        resource=of,
        attributes=span.attributes,
        kind=_KINDS[span.kind],
        status=Status(StatusCode.UNSET) if span.fault is None else Status(StatusCode.ERROR, span.fault),
        start_time=span.started_ns,
        end_time=span.ended_ns,
        instrumentation_scope=by,
    )


def processor(exporter: OtlpExporter, *, max_waiting: int) -> BatchSpanProcessor:
    """Its thread runs from now on. All numbers are given, so that none is taken from the environment."""
    return BatchSpanProcessor(
        exporter,
        max_queue_size=max_waiting,
        schedule_delay_millis=EVERY_MS,
        max_export_batch_size=BATCH,
        export_timeout_millis=TIMEOUT_S * 1000,
    )


class OtlpExporter(SpanExporter):
    """To one collector. Counts what it was given, and what of that nobody took.

    `export` runs on the batches' thread and may take its time; `hurry` and `cut` are called from others.
    `on_change` is told, on the batches' thread, when the collector stops taking spans (why), and when it takes them
    again ("").
    """

    def __init__(self, url: str, *, on_change: Callable[[str], None] = lambda _: None) -> None:
        parts = urlsplit(url)
        self._is_https = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        path = parts.path.rstrip("/")
        self._path = path if path.endswith(PATH) else path + PATH
        self._on_change = on_change
        self._fault = ""
        self._hurried = threading.Event()
        self._is_cut = False
        self._connection: HTTPConnection | None = None
        self.done = 0
        """Spans that are off our hands, one way or the other."""
        self.lost = 0
        """Of those, the ones that nobody took."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            lost, fault = self._deliver(encoded(spans), len(spans))
        except Exception as error:  # noqa: BLE001 - the thread must go on, and what it lost must be counted
            lost, fault = len(spans), f"a defect of ours: {error!r}"
        self.lost += lost
        self.done += len(spans)
        if fault != self._fault:
            self._fault = fault
            self._on_change(fault)
        return SpanExportResult.FAILURE if lost else SpanExportResult.SUCCESS

    def hurry(self) -> None:
        """Wait for nothing any more: each batch that is left has one try."""
        self._hurried.set()

    def cut(self) -> None:
        """It has had its time: what is under way fails now, and so does all that comes."""
        self._is_cut = True
        self.hurry()
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes who reads from it, which a close would not

    def shutdown(self) -> None:
        self.cut()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is held back here."""
        return True

    def _deliver(self, body: bytes, count: int) -> tuple[int, str]:
        """How many spans were lost, and why."""
        fault, wait_s = "", FIRST_WAIT_S
        for number in range(TRIES):
            if number and self._hurried.wait(wait_s):
                break
            if self._is_cut:
                return count, fault or "it took too long when we had to stop"
            wait_s = FIRST_WAIT_S * 2**number
            try:
                status, after_s, answer = self._post(body)
            except (OSError, HTTPException) as error:
                fault = str(error) or type(error).__name__
                continue
            if 200 <= status < 300:
                return _rejected(answer, count)
            fault = f"status {status}"
            if status not in AGAIN:
                break
            wait_s = max(wait_s, after_s)
        return count, fault

    def _post(self, body: bytes) -> tuple[int, float, bytes]:
        """Status, seconds of `Retry-After`, and the start of the answer's body. Raises `OSError`, `HTTPException`."""
        make = HTTPSConnection if self._is_https else HTTPConnection
        connection = self._connection = make(self._host, self._port, timeout=TIMEOUT_S)
        try:
            fields = {"Content-Type": "application/json", "Connection": "close", "User-Agent": "tidegate"}
            connection.request("POST", self._path, body=body, headers=fields)
            response = connection.getresponse()
            return response.status, _retry_after_s(response), response.read(MAX_ANSWER_BYTES)
        finally:
            self._connection = None
            connection.close()


def _retry_after_s(response: HTTPResponse) -> float:
    value = response.headers.get("Retry-After", "")
    return min(MAX_WAIT_S, float(value)) if value.isascii() and value.isdigit() else 0.0


def _rejected(answer: bytes, count: int) -> tuple[int, str]:
    """A collector may take a part of a batch and say so; what it says otherwise is nobody's concern."""
    try:
        told = json.loads(answer or b"{}")["partialSuccess"]
        rejected = int(told.get("rejectedSpans", 0))
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0, ""
    if rejected <= 0:
        return 0, ""
    return min(rejected, count), f"it rejected {rejected} spans: {told.get('errorMessage', '')}"


# -- the encoding


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """An ExportTraceServiceRequest. All spans are of one resource and one scope: there is one exporter for each."""
    of = {"attributes": _attributes(spans[0].resource.attributes)} if spans else {}
    by = spans[0].instrumentation_scope if spans else None
    scoped = {
        "scope": {"name": by.name, "version": by.version or ""} if by is not None else {},
        "spans": [_span(span) for span in spans],
    }
    return json.dumps({"resourceSpans": [{"resource": of, "scopeSpans": [scoped]}]}, separators=(",", ":")).encode()


def _span(span: ReadableSpan) -> dict[str, Any]:
    """Ids are hexadecimal and 64-bit numbers are text: that is where OTLP's JSON differs from protobuf's."""
    context, parent = span.context, span.parent
    if context is None:
        raise ValueError("a span without an identity")
    told: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "flags": int(context.trace_flags) | _FLAG_HAS_IS_REMOTE,
        "name": span.name,
        "kind": span.kind.value + 1,  # the protocol has UNSPECIFIED first
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes or {}),
        "status": {},
    }
    if parent is not None:
        told["parentSpanId"] = f"{parent.span_id:016x}"
        if parent.is_remote:
            told["flags"] |= _FLAG_IS_REMOTE
    if context.trace_state:
        told["traceState"] = context.trace_state.to_header()
    if span.status.status_code is StatusCode.ERROR:
        told["status"] = {"code": span.status.status_code.value, "message": span.status.description or ""}
    return told


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: object) -> dict[str, Any]:
    """Of text and whole numbers: we have no others."""
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}
