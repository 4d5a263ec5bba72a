"""What does the gRPC health service of an endpoint answer? (grpc.health.v1, over HTTP/2, RFC 9113)

    begin() --> bytes to send;  feed(bytes) --> None (go on) | Outcome;  to_send() --> what feeding made us owe

    grpc serving                        status SERVING, and the call ended well
    grpc not serving | unknown | ...    the status that it gave
    grpc status 12 (unimplemented)      the call failed: it has no health service
    http 404                            it is no gRPC server at all
    malformed answer | closed without an answer | answer cut short | answer longer than 64KiB

One call, of one message each way: a field of text in it, a number back; both are read here by hand, because that is all
of protobuf that is needed.
"""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from health.core.probe import Outcome

MAX_BYTES = 64 * 1024
"""Of a whole answer, frames and all; one takes some hundred."""

PATH = "/grpc.health.v1.Health/Check"
FRAME_HEAD_BYTES = 9
SETTINGS_FRAME = 4
"""What a server's first frame must be (RFC 9113, 3.4): the words of HTTP/1.1, say, would be waited for as a frame
of megabytes."""
PREFIX_BYTES = 5
SERVING = 1
STATUSES = {0: "unknown", 1: "serving", 2: "not serving", 3: "service unknown"}
CODES = {
    1: "cancelled",
    2: "unknown",
    4: "deadline exceeded",
    5: "not found",
    7: "permission denied",
    8: "resource exhausted",
    12: "unimplemented",
    13: "internal",
    14: "unavailable",
    16: "unauthenticated",
}

_MALFORMED = Outcome(passed=False, reason="malformed answer")


class GrpcHealth:
    """One call. After it has given an outcome it must not be fed."""

    def __init__(self, *, service: str, authority: str, agent: str, scheme: str, timeout_s: float) -> None:
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self._headers = [
            (":method", "POST"),
            (":scheme", scheme),
            (":path", PATH),
            (":authority", authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", agent),
            ("grpc-timeout", f"{max(1, round(timeout_s * 1000))}m"),
        ]
        self._message = request_message(service)
        self._bytes = 0
        self._first = b""
        self._body = bytearray()
        self._http_status: str | None = None
        self._grpc_status: str | None = None

    def begin(self) -> bytes:
        connection = self._connection
        connection.initiate_connection()
        connection.send_headers(1, self._headers)
        connection.send_data(1, self._message, end_stream=True)
        return connection.data_to_send()

    def to_send(self) -> bytes:
        """Acknowledgements that the peer waits for."""
        return self._connection.data_to_send()

    @property
    def has_begun(self) -> bool:
        return self._bytes > 0

    def feed(self, data: bytes) -> Outcome | None:
        self._bytes += len(data)
        self._first += data[: FRAME_HEAD_BYTES - len(self._first)]
        if len(self._first) == FRAME_HEAD_BYTES and self._first[3] != SETTINGS_FRAME:
            return _MALFORMED
        if self._bytes > MAX_BYTES:
            return Outcome(passed=False, reason="answer longer than 64KiB")
        try:
            events = self._connection.receive_data(data)
        except (h2.exceptions.ProtocolError, ValueError):
            return _MALFORMED
        for event in events:
            outcome = self._take(event)
            if outcome is not None:
                return outcome
        return None

    def ended(self) -> Outcome:
        """The connection was closed by the endpoint before the answer was settled."""
        reason = "answer cut short" if self.has_begun else "closed without an answer"
        return Outcome(passed=False, reason=reason)

    def _take(self, event: object) -> Outcome | None:
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            fields = dict(event.headers or ())
            self._http_status = self._http_status or _text(fields.get(b":status"))
            self._grpc_status = _text(fields.get(b"grpc-status")) or self._grpc_status
        elif isinstance(event, h2.events.DataReceived):
            self._body += event.data or b""
            self._connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
        elif isinstance(event, h2.events.StreamReset):
            return Outcome(passed=False, reason=f"stream reset by code {int(event.error_code or 0)}")
        elif isinstance(event, h2.events.ConnectionTerminated):
            return Outcome(passed=False, reason=f"connection ended by code {int(event.error_code or 0)}")
        elif isinstance(event, h2.events.StreamEnded):
            return self._judge()
        return None

    def _judge(self) -> Outcome:
        if self._http_status != "200":
            return Outcome(passed=False, reason=f"http {self._http_status}")
        if self._grpc_status is None or not self._grpc_status.isdecimal() or len(self._grpc_status) > 4:
            return _MALFORMED
        code = int(self._grpc_status)
        if code != 0:
            name = f" ({CODES[code]})" if code in CODES else ""
            return Outcome(passed=False, reason=f"grpc status {code}{name}")
        status = serving_status(bytes(self._body))
        if status is None:
            return _MALFORMED
        return Outcome(passed=status == SERVING, reason=f"grpc {STATUSES.get(status, f'serving status {status}')}")


def request_message(service: str) -> bytes:
    """HealthCheckRequest{service}, with gRPC's prefix: not compressed, and its length."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def serving_status(body: bytes) -> int | None:
    """The `status` of a HealthCheckResponse with its prefix; None for anything else. Absent, it is 0 (UNKNOWN)."""
    if (
        len(body) < PREFIX_BYTES
        or body[0] != 0
        or int.from_bytes(body[1:PREFIX_BYTES], "big") != len(body) - PREFIX_BYTES
    ):
        return None
    message = body[PREFIX_BYTES:]
    if not message:
        return 0
    if message[0] != 0x08 or len(message) != 2 or message[1] > 127:  # field 1, a number of one byte, and nothing else
        return None
    return message[1]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
