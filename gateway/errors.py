"""What can go wrong with a request, whose fault it is, and what its sender is told.

    GatewayError
    ├── RequestRefused        the client's: malformed, ambiguous, too large        4xx/5xx by the table in API.md
    ├── UpstreamError         the endpoint's
    │   ├── ConnectFailed     before it had a byte of the request: another endpoint may be tried, whatever the method
    │   │   └── TlsFailed     connected, but no TLS handshake came to its end
    │   ├── ConnectionLost    closed or reset before the answer was complete
    │   ├── AnswerTimeout     nothing came in time
    │   └── AnswerRefused     what came is not HTTP we would pass on
    ├── TlsMaterialRefused    the operator's: certificates, keys or authorities that cannot be used
    └── PublicationRefused    ours: a snapshot that cannot be used; the old one stays in force

Each knows the status for the client and the error token of `Proxy-Status` (RFC 9209 section 2.3).
"""

from __future__ import annotations


class GatewayError(Exception):
    """An error with everything that its answer, its log line and its metric need."""

    def __init__(self, detail: str, *, status: int, reason: str, proxy_status: str) -> None:
        super().__init__(detail)
        self.detail = detail
        """One lower-case sentence: what was found, then what was expected."""
        self.status = status
        self.reason = reason
        """Slug: the same in problem document, log and metric."""
        self.proxy_status = proxy_status
        """`Proxy-Status` error token."""


class RequestRefused(GatewayError):
    """The client's request is not one we pass on. Its connection is closed: where it ends is in doubt."""

    def __init__(self, detail: str, *, status: int = 400, reason: str = "malformed_request") -> None:
        super().__init__(detail, status=status, reason=reason, proxy_status="http_request_error")


class UpstreamError(GatewayError):
    """An attempt at an endpoint failed."""


class ConnectFailed(UpstreamError):
    """No connection: the endpoint has not had a byte of the request, so any method may be tried elsewhere."""

    def __init__(self, detail: str, *, timed_out: bool = False, refused: bool = False) -> None:
        proxy_status = (
            "connection_timeout" if timed_out else "connection_refused" if refused else "destination_unavailable"
        )
        super().__init__(
            detail,
            status=504 if timed_out else 502,
            reason="connect_timeout" if timed_out else "connect_failure",
            proxy_status=proxy_status,
        )


class TlsFailed(ConnectFailed):
    """Connected, but no TLS handshake came to its end: nothing of the request was sent."""

    def __init__(self, detail: str, *, proxy_status: str) -> None:
        UpstreamError.__init__(self, detail, status=502, reason="tls_failure", proxy_status=proxy_status)


class ConnectionLost(UpstreamError):
    """The endpoint closed or reset the connection before its answer was complete."""

    def __init__(
        self, detail: str, *, proxy_status: str = "connection_terminated", was_request_sent: bool = True
    ) -> None:
        super().__init__(detail, status=502, reason="reset", proxy_status=proxy_status)
        self.was_request_sent = was_request_sent
        """Whether the endpoint can have had a byte of the request; if not, any method may be tried again."""


class DrainCut(ConnectionLost):
    """The endpoint is drained, and what was under way there has had its time: no fault of the endpoint's."""

    def __init__(self, detail: str) -> None:
        UpstreamError.__init__(
            self, detail, status=503, reason="drain_deadline", proxy_status="destination_unavailable"
        )
        self.was_request_sent = True


class AnswerTimeout(UpstreamError):
    """The endpoint did not answer, or stopped answering, in time."""

    def __init__(self, detail: str, *, proxy_status: str = "http_response_timeout") -> None:
        super().__init__(detail, status=504, reason="answer_timeout", proxy_status=proxy_status)


class AnswerRefused(UpstreamError):
    """The endpoint's answer is not HTTP that we would pass on; its connection is never used again."""

    def __init__(self, detail: str, *, proxy_status: str = "http_protocol_error") -> None:
        super().__init__(detail, status=502, reason="malformed_answer", proxy_status=proxy_status)


class TlsMaterialRefused(Exception):
    """Certificates, keys, authorities or ciphers that cannot be used; what was there before stays in force."""


class PublicationRefused(Exception):
    """A publication that this data plane cannot use; it keeps the snapshot it has."""
