"""What does one listener allow? Its limits, each with its own refusal, its time-outs, and how many connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from config.models import Listener
from gateway.core import reasons
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.origin import Trust
from gateway.errors import RequestRefused
from gateway.location import registered_country
from gateway.tls.server import ServerSide

_TAKEN_OVER: Final = (
    "body_idle_timeout_s",
    "country_header",
    "header_timeout_s",
    "idle_timeout_s",
    "locate",
    "max_body",
    "max_connections",
    "max_header_bytes",
    "max_headers",
    "max_request_line",
    "max_streams",
    "name",
    "node_id",
    "port",
    "scheme",
    "takes_proxy_header",
    "tls",
    "tls_handshake_timeout_s",
    "trust",
    "tunnel_idle_timeout_s",
    "via_line",
    "write_timeout_s",
)
"""By a reload: all but what is open now."""


class ListenerSettings:
    """One listener's configuration, flat, for the hot path; and its open connections."""

    __slots__ = (*_TAKEN_OVER, "connections", "streams")

    def __init__(
        self,
        listener: Listener,
        *,
        node_id: str,
        workers: int,
        tls: ServerSide | None = None,
        locate: Callable[[str], str | None] = registered_country,
        country_header: str | None = None,
    ) -> None:
        """`locate` finds the country of an address; `country_header` carries it where a trusted proxy knows it."""
        limits, timeouts = listener.limits, listener.timeouts
        self.name = listener.name
        self.node_id = node_id
        self.port = listener.bind.port
        self.locate = locate
        self.country_header = country_header.lower().encode() if country_header is not None else b""
        self.tls = tls
        self.scheme = b"https" if tls is not None else b"http"
        self.tls_handshake_timeout_s = timeouts.tls_handshake
        self.connections = 0
        self.trust = Trust([str(network) for network in listener.trusted_proxies])
        self.takes_proxy_header = listener.proxy_protocol
        self.streams = 0
        """Tunnels that are open."""
        self.max_streams = max(1, limits.max_streams // workers)
        self.tunnel_idle_timeout_s = timeouts.tunnel_idle
        self.max_connections = max(1, limits.max_connections // workers)
        self.max_request_line = limits.max_request_line
        self.max_header_bytes = limits.max_header_bytes
        self.max_headers = limits.max_headers
        self.max_body = limits.max_body
        self.header_timeout_s = timeouts.header
        self.idle_timeout_s = timeouts.idle
        self.body_idle_timeout_s = timeouts.body_idle
        self.write_timeout_s = timeouts.write
        self.via_line = f"Via: 1.1 {node_id}\r\n".encode()

    def is_over_full(self) -> bool:
        """Whether the connection accepted last was one too many."""
        return self.connections > self.max_connections

    def check_partial(self, data: bytes) -> None:
        """A head that has not ended yet. Raises `RequestRefused` where no ending could make it acceptable."""
        line_end = data.find(b"\r\n")
        if (len(data) if line_end < 0 else line_end) > self.max_request_line:
            raise RequestRefused(
                f"a request line above {self.max_request_line} bytes", status=414, reason="request_line_too_long"
            )
        if data.count(b"\n") != data.count(b"\r\n"):
            raise RequestRefused("a line that ends in LF without CR")
        if len(data) > self.max_header_bytes + self.max_request_line:
            raise self._headers_too_large()

    def check(self, raw: bytes, previous: RequestHead | None = None) -> RequestHead:
        """A whole head, read; `previous` is the one before it on the connection. Raises `RequestRefused`."""
        if len(raw) > self.max_header_bytes and len(raw) - raw.find(b"\r\n") > self.max_header_bytes + 4:
            raise self._headers_too_large()
        if raw.count(b"\r\n") - 2 > self.max_headers:
            raise RequestRefused(f"more than {self.max_headers} header fields", status=431, reason="too_many_headers")
        head = parse_request_head(raw, scheme=self.scheme, max_request_line=self.max_request_line, previous=previous)
        if head.via:
            self._refuse_loop(head.via)
        if self.max_body is not None and head.body_length > self.max_body:
            raise RequestRefused(
                f"a body of {head.body_length} bytes, at most {self.max_body} are allowed",
                status=413,
                reason=reasons.BODY_TOO_LARGE,
            )
        if head.is_websocket and self.streams >= self.max_streams:
            raise RequestRefused(
                f"more than {self.max_streams} streams at once", status=503, reason=reasons.STREAM_LIMIT
            )
        return head

    def _headers_too_large(self) -> RequestRefused:
        return RequestRefused(
            f"header fields above {self.max_header_bytes} bytes", status=431, reason="headers_too_large"
        )

    def _refuse_loop(self, via: bytes) -> None:
        own = self.node_id.lower().encode()
        for hop in via.split(b","):
            words = hop.split()
            if len(words) > 1 and words[1] == own:
                raise RequestRefused(
                    "a request that has passed this node before", status=508, reason=reasons.PROXY_LOOP
                )

    def adopt(self, fresh: ListenerSettings) -> None:
        """Take over reloaded settings; connections that are open keep to the new ones from their next deadline on."""
        for name in _TAKEN_OVER:
            setattr(self, name, getattr(fresh, name))
