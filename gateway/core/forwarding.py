"""What do we add to a request, and to its answer, on the way through?

To a request: `Via` (RFC 9110 section 7.6.3), `Forwarded` (RFC 7239) and `X-Forwarded-*`, `X-Request-Id`, and the
framing of its body. What a client says of these itself is dropped: we believe nobody yet (`trusted_proxies` is not
built). To an answer: `Via`, `X-Request-Id` and the framing.
"""

from __future__ import annotations

from gateway.core.head import CHUNKED, RequestHead
from gateway.core.response import ResponseHead, status_line


class Forwarding:
    """What one connection's requests have in common, rendered once."""

    __slots__ = ("_client", "_host_lines", "_last_host", "_node_line", "_tail")

    def __init__(self, *, node_id: str, client_ip: str, port: int, scheme: str = "http") -> None:
        self._client = f"[{client_ip}]" if ":" in client_ip else client_ip
        via = f"Via: 1.1 {node_id}\r\n"
        quoted = f'"{self._client}"' if ":" in client_ip else client_ip
        self._tail = (
            f"X-Forwarded-For: {client_ip}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Port: {port}\r\n"
            f"{via}Forwarded: for={quoted};proto={scheme}"
        ).encode()
        self._last_host: str | None = None
        self._host_lines = b""

    def request(self, head: RequestHead, request_id: bytes, authority: bytes) -> bytes:
        """The head to send upstream, ended by its empty line. `authority` stands in for a Host that was not sent."""
        if head.host != self._last_host:
            self._last_host = head.host
            self._host_lines = self._render_host(head.host)
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
            self._host_lines,
            request_id,
            framing,
        )

    def _render_host(self, host: str) -> bytes:
        name = host.encode()
        if not name:
            return self._tail + b"\r\n"
        quoted = b'"' + name + b'"' if b":" in name else name
        return self._tail + b";host=" + quoted + b"\r\nX-Forwarded-Host: " + name + b"\r\n"


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
    if not bodiless:
        if head.body_length >= 0:
            framing = b"Content-Length: %d\r\n" % head.body_length
        elif client_version == 11:
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
