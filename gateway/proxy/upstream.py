"""One connection to one endpoint: sends a request, frames the answer, and is used again only if nothing is in doubt.

    idle ──send──> awaiting head ──> body ──> complete ──> idle again, or closed
      └─ a byte while idle, a broken answer, a time-out, a byte too many: closed, never used again

Exactly one request is in flight on a connection. A body of known length is counted and passed on as it came; only
chunked ones go through a reader.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from typing import Final, cast

from gateway.core.chunked import ChunkedReader, ChunkedRefused
from gateway.core.gate import Endpoint
from gateway.core.head import CHUNKED
from gateway.core.response import UNTIL_CLOSE, ResponseHead, parse_response_head
from gateway.errors import AnswerRefused, AnswerTimeout, ConnectFailed, ConnectionLost, UpstreamError
from gateway.proxy.late import LATE_BYTES
from gateway.proxy.local import connect_local
from gateway.proxy.ports import Runtime
from gateway.proxy.roles import AnswerSink
from gateway.proxy.tunnel import Tunnel
from gateway.tls.upstream import UpstreamSide, connection_lost, handshake_failed, handshake_options

MAX_HEAD_BYTES: Final = 64 * 1024
"""Twice what we take from clients: applications set large cookies."""
HEAD_TOO_LARGE: Final = AnswerRefused(
    f"a response head above {MAX_HEAD_BYTES} bytes", proxy_status="http_response_header_section_size"
)
CLOSED_BEFORE_SENT: Final = ConnectionLost(
    "the endpoint closed the connection before the request was sent", was_request_sent=False
)
SPOKE_UNASKED: Final = ConnectionLost("the endpoint spoke before the request was sent", was_request_sent=False)
WRITE_BUFFER_HIGH: Final = 64 * 1024
NO_HEAD: Final = ResponseHead()
MAX_REMEMBERED: Final = 2048
"""Bytes of a head that is remembered; as for requests (gateway/proxy/client.py)."""
_NO_BODY: Final = 0


async def connect(runtime: Runtime, endpoint: Endpoint, *, timeout_s: float) -> UpstreamConnection:
    """Open a connection. Raises `ConnectFailed`."""
    tls = cast(UpstreamSide | None, endpoint.tls)
    options = handshake_options(tls, host=endpoint.name or endpoint.host, timeout_s=timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            if endpoint.path is not None:
                return await connect_local(runtime.loop, lambda: UpstreamConnection(runtime, endpoint), endpoint.path)
            _, connection = await runtime.loop.create_connection(
                lambda: UpstreamConnection(runtime, endpoint), endpoint.host, endpoint.port, **options
            )
    except ssl.SSLError as error:
        raise handshake_failed(error) from error
    except TimeoutError as error:
        raise ConnectFailed(f"no connection within {timeout_s:g} s", timed_out=True) from error
    except (ConnectionRefusedError, FileNotFoundError) as error:
        raise ConnectFailed("connection refused", refused=True) from error
    except OSError as error:
        if tls is not None and isinstance(error, ConnectionResetError | ConnectionAbortedError):
            raise handshake_failed(error) from error
        raise ConnectFailed(f"no connection: {error.strerror or error}") from error
    return connection


class UpstreamConnection(asyncio.Protocol):
    """Made by `connect`, kept by `Pool`."""

    __slots__ = (
        "_body_left",
        "_buffer",
        "_is_reading_paused",
        "_is_unsent",
        "_keep_alive",
        "_last_head",
        "_last_method",
        "_last_raw",
        "_late",
        "_reader",
        "_runtime",
        "_sink",
        "_was_ended",
        "deadline",
        "endpoint",
        "is_awaiting_head",
        "is_closed",
        "is_reused",
        "transport",
        "tunnel",
    )

    def __init__(self, runtime: Runtime, endpoint: Endpoint) -> None:
        self._runtime = runtime
        self.endpoint = endpoint
        self.transport: asyncio.Transport | None = None
        self.deadline = math.inf
        self.is_reused = False
        """Whether it has carried a request before: a loss may then mean no more than that the server closed it."""
        self.is_closed = False
        self._was_ended = False
        """Whether the endpoint said that it is done: by FIN, over TLS by close_notify. Without, a body may be cut."""
        self.is_awaiting_head = False
        self._sink: AnswerSink | None = None
        self._buffer = b""
        self._body_left = _NO_BODY
        self._reader: ChunkedReader | None = None
        self._keep_alive = False
        self._is_reading_paused = False
        self._last_raw = b""
        """The answer's head before this one: the next is often the same to the byte, and then read already."""
        self._last_method = ""
        self._last_head = NO_HEAD
        self._late = b""
        """Written when this turn of the loop is over (gateway/proxy/late.py)."""
        self._is_unsent = False
        """The request under way has not left yet: what comes now was not caused by it."""
        self.tunnel: Tunnel | None = None
        """Set once the endpoint has agreed to one: then no byte is read as HTTP any more."""

    # -- the sink's side

    def send(self, sink: AnswerSink, data: bytes, *, timeout_s: float) -> None:
        """Start a request: its head, and what is there of its body."""
        self._sink = sink
        self.is_awaiting_head = True
        self._is_unsent = True
        self.deadline = self._runtime.now() + timeout_s
        self.write(data)

    def write(self, data: bytes) -> None:
        """More of the request's body."""
        late = self._late
        if late:
            self._late = late + data
        elif data:
            self._late = data
            self._runtime.late.add(self)
        if len(self._late) > LATE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was kept for the end of the turn."""
        late = self._late
        if late and self.transport is not None:
            self._late = b""
            self._is_unsent = False
            self.transport.write(late)

    def extend(self, timeout_s: float) -> None:
        """Something moved: wait this long for the next thing."""
        self.deadline = self._runtime.now() + timeout_s

    def pause_reading(self) -> None:
        if self.transport is not None and not self.is_closed:
            self._is_reading_paused = True
            self.transport.pause_reading()
            self.deadline = math.inf  # it is the client that is slow; its own write time-out runs

    def resume_reading(self, timeout_s: float) -> None:
        if self.transport is not None and not self.is_closed:
            self._is_reading_paused = False
            self.transport.resume_reading()
            self.extend(timeout_s)

    def release(self, *, may_reuse: bool, keep_s: float) -> None:
        """The sink is done with it. `keep_s`: how long it may wait for another request."""
        self._sink = None
        self.deadline = self._runtime.now() + keep_s
        self.is_reused = True
        if self.is_closed:
            return
        transport = self.transport
        is_clean = self._keep_alive and not self._buffer and not self._is_reading_paused
        if not (
            may_reuse
            and is_clean
            and transport is not None
            and not self._late
            and not transport.get_write_buffer_size()  # the end of a body that the endpoint did not wait for
            and self._runtime.pool.put(self)
        ):
            self.close()

    def close(self) -> None:
        """At once: whatever it still holds is nobody's any more."""
        self._sink = None
        self.is_closed = True
        self._late = b""
        self.deadline = -math.inf
        if self.transport is not None:
            self.transport.abort()

    def finish(self) -> None:
        """The tunnel's end: close once what was written has left."""
        self.is_closed = True
        self._sink = None
        self.flush()
        if self.transport is not None:
            self.transport.close()

    def hold(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    def go_on(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    # -- the socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_HIGH)
        self._runtime.pool.opened(self.endpoint.service)
        self._runtime.wheel.watch(self, now=self._runtime.now())

    def connection_lost(self, error: Exception | None) -> None:
        self.deadline = -math.inf
        self._runtime.pool.closed(self.endpoint.service)
        self._late = b""
        was_closed, self.is_closed = self.is_closed, True
        sink, self._sink = self._sink, None
        if self.tunnel is not None:
            self.tunnel.end()
        elif sink is None:
            if not was_closed:
                self._runtime.pool.discard(self)
        elif self._was_ended and error is None and not self.is_awaiting_head and self._body_left == UNTIL_CLOSE:
            sink.on_answer_body(b"", ended=True)
        elif self._is_unsent:
            sink.on_failed(self.endpoint.id, CLOSED_BEFORE_SENT)
        else:
            sink.on_failed(self.endpoint.id, connection_lost(error))

    def eof_received(self) -> bool:
        self._was_ended = True
        if self._sink is None:
            self._runtime.pool.discard(self)  # before this turn of the loop takes it for another request
        return False  # whatever ended with it is settled in `connection_lost`

    def pause_writing(self) -> None:
        if self.tunnel is not None:
            self.tunnel.endpoint_full()
        elif self._sink is not None:
            self._sink.on_upstream_full()

    def resume_writing(self) -> None:
        if self.tunnel is not None:
            self.tunnel.endpoint_drained()
        elif self._sink is not None:
            self._sink.on_upstream_drained()

    def data_received(self, data: bytes) -> None:
        sink = self._sink
        if self.tunnel is not None:
            self.tunnel.from_endpoint(data)
        elif sink is None:
            self._runtime.pool.discard(self)
            self.close()  # bytes that nobody asked for: the next request would get them as its answer
        elif self._is_unsent:
            self._fail(sink, SPOKE_UNASKED)
        elif self.is_awaiting_head:
            self._take_head(sink, self._buffer + data if self._buffer else data)
        else:
            self.extend(sink.idle_timeout_s)
            self._take_body(sink, data)

    def _take_head(self, sink: AnswerSink, data: bytes) -> None:
        try:
            framed = self._next_head(sink, data)
            while framed is not None and framed[0].status < 200 and framed[0].status != 101:
                sink.on_interim(framed[0])  # any number of them may come first
                framed = self._next_head(sink, framed[1])
        except AnswerRefused as error:
            self._fail(sink, error)
            return
        if framed is None:
            return
        head, rest = framed
        self.is_awaiting_head = False
        self._keep_alive = head.keep_alive
        self._body_left = head.body_length
        self._reader = ChunkedReader() if head.body_length == CHUNKED else None
        self.extend(sink.idle_timeout_s)
        if not sink.on_answer_head(self, head):
            return  # dropped for another attempt
        if self.tunnel is not None:
            self.deadline = math.inf  # the client's side watches over the tunnel's silence
            self.tunnel.from_endpoint(rest)
        elif rest or not self._body_left:
            self._take_body(sink, rest)
        else:
            sink.flush_head()

    def _next_head(self, sink: AnswerSink, data: bytes) -> tuple[ResponseHead, bytes] | None:
        """The head that `data` begins with, and what follows; None while it is not whole. Raises `AnswerRefused`."""
        end = data.find(b"\r\n\r\n") + 4
        if max(end, len(data) if end == 3 else 0) > MAX_HEAD_BYTES:
            raise HEAD_TOO_LARGE
        if end == 3:
            if data.count(b"\n") != data.count(b"\r\n"):
                raise AnswerRefused("a line that ends in LF without CR")
            self._buffer = data
            return None
        self._buffer = b""
        request = sink.head
        raw = data[:end]
        if raw == self._last_raw and request.method == self._last_method and request.websocket_accept is None:
            return self._last_head, data[end:]
        head = parse_response_head(raw, method=request.method, websocket_accept=request.websocket_accept)
        if end <= MAX_REMEMBERED:
            self._last_raw, self._last_method, self._last_head = raw, request.method, head
        return head, data[end:]

    def _take_body(self, sink: AnswerSink, data: bytes) -> None:
        left = self._body_left
        if left >= 0:
            size = len(data)
            if size > left:
                self._buffer = data[left:]  # a byte too many: the answer is whole, the connection is not trusted again
                data = data[:left]
                size = left
            self._body_left = left - size
            sink.on_answer_body(data, ended=size == left)
        elif self._reader is not None:
            try:
                data = self._reader.feed(data)
            except ChunkedRefused as error:
                self._fail(sink, AnswerRefused(str(error), proxy_status="http_response_transfer_coding"))
                return
            if self._reader.is_done:
                self._buffer = self._reader.rest
            if data or self._reader.is_done:
                sink.on_answer_body(data, ended=self._reader.is_done)
        else:
            sink.on_answer_body(data, ended=False)

    def on_deadline(self, now: float) -> None:
        sink = self._sink
        if sink is None:
            self._runtime.pool.discard(self)
            self.close()
        elif self.is_awaiting_head:
            self._fail(sink, AnswerTimeout("no answer in time"))
        else:
            self._fail(sink, AnswerTimeout("the answer stopped coming", proxy_status="connection_read_timeout"))

    def _fail(self, sink: AnswerSink, error: UpstreamError) -> None:
        self.close()
        sink.on_failed(self.endpoint.id, error)
