"""How is an endpoint spoken to over TLS, and what went wrong when it could not be?

    connect ──> handshake ──> the request
                   ├─ its certificate is not one to trust        tls_certificate_error
                   ├─ it told us by an alert that it will not    tls_alert_received
                   └─ it does not speak TLS, or none of ours     tls_protocol_error

Whatever fails before the handshake is over, not a byte of the request was sent: another endpoint may be tried. With
TLS 1.3 an endpoint may refuse our certificate after that; then the alert comes in place of an answer.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any, Final

from config.models import UpstreamTls
from gateway.errors import ConnectionLost, TlsFailed
from gateway.tls.server import ALPN, add_authorities, add_pair, digest_of, reason_of

SHUTDOWN_S: Final = 2.0
"""How long an endpoint may take to answer our close_notify."""


@dataclass(frozen=True, slots=True, eq=False)
class UpstreamSide:
    """One service's TLS. The same object stands for the same settings and file contents, and no other does."""

    context: ssl.SSLContext
    server_name: str | None
    """To ask for and to verify; the endpoint's own host when None."""
    digest: str


def files_of(tls: UpstreamTls) -> tuple[str, ...]:
    """Every file that it is made from."""
    return tuple(str(file) for file in (tls.ca, tls.client_certificate, tls.client_key) if file is not None)


def load_upstream_side(tls: UpstreamTls) -> UpstreamSide:
    """Raises `TlsMaterialRefused` with one sentence on the first thing that is wrong."""
    digest = digest_of(repr(tls), files_of(tls))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(ALPN))
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca is not None:
        add_authorities(context, str(tls.ca))
    else:
        context.load_default_certs()
    if tls.client_certificate is not None and tls.client_key is not None:
        add_pair(context, str(tls.client_certificate), str(tls.client_key))
    return UpstreamSide(context, str(tls.server_name) if tls.server_name is not None else None, digest)


def handshake_options(tls: UpstreamSide | None, *, host: str, timeout_s: float) -> dict[str, Any]:
    """What `create_connection` is told besides the address. The caller's own time-out is to be the one that strikes."""
    if tls is None:
        return {}
    return {
        "ssl": tls.context,
        "server_hostname": tls.server_name or host,
        "ssl_handshake_timeout": timeout_s * 2,
        "ssl_shutdown_timeout": SHUTDOWN_S,
    }


def handshake_failed(error: OSError) -> TlsFailed:
    """What a handshake that did not come to its end means for the request."""
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = f"a certificate that is not trusted: {error.verify_message.lower()}"
        return TlsFailed(detail, proxy_status="tls_certificate_error")
    if isinstance(error, ssl.SSLError):
        if alert := alert_in(error):
            return TlsFailed(f"the TLS handshake was refused: {alert}", proxy_status="tls_alert_received")
        reason = (reason_of(error) or str(error)).replace("_", " ").lower()
        return TlsFailed(f"no TLS handshake: {reason}", proxy_status="tls_protocol_error")
    return TlsFailed(f"connection lost in the TLS handshake: {error}", proxy_status="tls_protocol_error")


def connection_lost(error: Exception | None) -> ConnectionLost:
    """What the end of a connection, before its answer was complete, means for the request."""
    if isinstance(error, ssl.SSLError) and (alert := alert_in(error)):
        return ConnectionLost(f"the endpoint sent a TLS alert: {alert}", proxy_status="tls_alert_received")
    return ConnectionLost(f"connection lost before the answer was complete: {error or 'closed'}")


def alert_in(error: ssl.SSLError) -> str:
    """The peer's alert, in words; empty where it sent none. OpenSSL tells it by the name of its error alone."""
    _, is_alert, name = reason_of(error).partition("_ALERT_")
    return name.replace("_", " ").lower() if is_alert else ""
