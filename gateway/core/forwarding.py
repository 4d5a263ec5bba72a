"""What do we add to a request, and to its answer, on the way through?

To a request: `Via` (RFC 9110 section 7.6.3), `Forwarded` (RFC 7239) and `X-Forwarded-*`, `X-Request-Id`, and the
framing of its body. What a client says of these itself is dropped, unless it is a proxy that we trust
(gateway/core/origin.py). To an answer: `Via`, `X-Request-Id` and the framing.
"""

from __future__ import annotations

from gateway.core.head import CHUNKED, RequestHead
from gateway.core.origin import Origin
from gateway.core.response import ResponseHead, status_line


class Forwarding:
    """What one connection's requests have in common, rendered once."""

    __slots__ = ("_chain", "_last_host", "_lines", "_port", "_proto", "_via")

    def __init__(self, *, node_id: str, client_ip: str, port: int, scheme: str = "http", identity: bytes = b"") -> None:
        """`identity`: field lines that say who the client is by its certificate (gateway/core/client_identity.py)."""
        self._via = f"Via: 1.1 {node_id}\r\n".encode() + identity
        self._chain = (client_ip,)
        self._proto = scheme.encode()
        self._port = b"%d" % port
        self._last_host: str | None = None
        self._lines = b""

    def request(self, head: RequestHead, request_id: bytes, authority: bytes, origin: Origin | None = None) -> bytes:
        """The head to send upstream, ended by its empty line. `authority` stands in for a Host that was not sent."""
        if origin is not None:
            lines = self._render(
                origin.chain, origin.host or head.host.encode(), origin.proto or self._proto, origin.port or self._port
            )
        else:
            if head.host != self._last_host:
                self._last_host = head.host
                self._lines = self._render(self._chain, head.host.encode(), self._proto, self._port)
            lines = self._lines
        framing = b"Transfer-Encoding: chunked\r\n\r\n" if head.body_length == CHUNKED else b"\r\n"
        if head.expects_continue:
            framing = b"Expect: 100-continue\r\n" + framing  # the endpoint decides; its 100 is passed on
        elif head.is_websocket:
            framing = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        if not head.host:
            framing = b"Host: " + authority + b"\r\n" + framing
        return b"%b %b%b HTTP/1.1\r\n%b%bX-Request-Id: %b\r\n%b" % (
            head.method.encode(),
            head.path,
            head.query,
            head.forwarded_fields,
            lines,
            request_id,
            framing,
        )

    def _render(self, chain: tuple[str, ...], host: bytes, proto: bytes, port: bytes) -> bytes:
        node = b";proto=" + proto
        if host:
            node += b";host=" + (b'"' + host + b'"' if b":" in host else host)
        forwarded = ", ".join(f'for="[{hop}]"' if ":" in hop else f"for={hop}" for hop in chain)
        return b"".join(
            (
                b"X-Forwarded-For: " + ", ".join(chain).encode() + b"\r\n",
                b"X-Forwarded-Proto: " + proto + b"\r\n",
                b"X-Forwarded-Port: " + port + b"\r\n",
                b"X-Forwarded-Host: " + host + b"\r\n" if host else b"",
                b"Forwarded: " + forwarded.encode() + node + b"\r\n",
                self._via,
            )
        )


def interim(head: ResponseHead) -> bytes:
    """A 1xx, passed on."""
    return status_line(head.status) + head.forwarded_fields + b"\r\n"


def switching(head: ResponseHead, *, via_line: bytes, request_id: bytes) -> bytes:
    """The 101 that opens a WebSocket."""
    return b"%b%b%bX-Request-Id: %b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" % (
        status_line(101),
        head.forwarded_fields,
        via_line,
        request_id,
    )


def response(
    head: ResponseHead, *, via_line: bytes, request_id: bytes, client_version: int, bodiless: bool, close: bool
) -> tuple[bytes, bool, bool]:
    """The head to send to the client; whether its body is to be chunked; whether the connection closes after it."""
    chunked = False
    framing = b""
    if not bodiless and head.body_length < 0:
        if client_version == 11:
            chunked = True
            framing = b"Transfer-Encoding: chunked\r\n"
        else:
            close = True
    if close:
        framing += b"Connection: close\r\n"
    elif client_version == 10:
        framing += b"Connection: keep-alive\r\n"
    rendered = b"%b%b%bX-Request-Id: %b\r\n%b\r\n" % (
        status_line(head.status),
        head.forwarded_fields,
        via_line,
        request_id,
        framing,
    )
    return rendered, chunked, close
