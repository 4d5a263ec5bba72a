"""Does an endpoint answer over TLS as it should?

    connect, handshake, GET, read the answer to its end, close.

    no TLS handshake in 1s                          connected, and the handshake did not come to its end
    certificate not trusted: certificate has expired, self-signed certificate, ...
    no TLS handshake: wrong version number, ...     it speaks something else, or refused us by an alert
    our certificates: key values mismatch, ...      our own trouble: inconclusive

Spoken as the gateway speaks to the endpoint: the service's `upstream_tls`. The round trip is that of the request,
without the handshake.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from config.certificates import CertificateUnusable, load_authorities, load_pair
from health.core.probe import ProbeTls
from health.probes.http import HttpAttempt


class HttpsAttempt(HttpAttempt):
    """Connects, shakes hands, asks, reads, closes."""

    ALPN: ClassVar[tuple[str, ...]] = ("http/1.1",)
    _is_shaking_hands = False

    def _connected(self, sock: socket.socket) -> None:
        tls = self._target.settings.tls or ProbeTls()
        try:
            context = _context(tls, _contents(tls), self.ALPN)
        except CertificateUnusable as error:
            self._end(passed=None, reason=f"our certificates: {error}")
            return
        self._socket = context.wrap_socket(
            sock, server_hostname=tls.server_name or self._target.host, do_handshake_on_connect=False
        )
        self._is_shaking_hands = True
        self._shake_hands()

    def _shake_hands(self) -> None:
        sock = self._open_socket()
        if not isinstance(sock, ssl.SSLSocket):
            raise TypeError("a plain socket, expected one that TLS is spoken on")
        self._loop.remove_writer(sock)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.add_reader(sock, self._guard, self._shake_hands)
        except ssl.SSLWantWriteError:
            self._loop.add_writer(sock, self._guard, self._shake_hands)
        except ssl.SSLCertVerificationError as error:
            self._end(passed=False, reason=f"certificate not trusted: {error.verify_message.lower()}")
        except ssl.SSLError as error:
            self._end(passed=False, reason=f"no TLS handshake: {_words(error)}")
        else:
            self._is_shaking_hands = False
            super()._connected(sock)

    def _send(self) -> None:
        self._over_tls(super()._send)

    def _readable(self) -> None:
        self._over_tls(super()._readable)

    def _over_tls(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ssl.SSLError as error:  # with TLS 1.3 a refusal of our certificate comes after the handshake
            self._end(passed=False, reason=f"TLS failed: {_words(error)}")

    def _waiting_for(self) -> str:
        return "no TLS handshake" if self._is_shaking_hands else super()._waiting_for()


def _contents(tls: ProbeTls) -> tuple[tuple[int, int] | None, ...]:
    """What changes when a file does: a renewed certificate is used by the next probe."""
    return tuple(_content(file) for file in (tls.ca, tls.client_certificate, tls.client_key) if file is not None)


def _content(file: str) -> tuple[int, int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@lru_cache(maxsize=64)
def _context(tls: ProbeTls, contents: object, alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Raises `CertificateUnusable`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(alpn)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca is not None:
        load_authorities(context, tls.ca)
    else:
        context.load_default_certs()
    if tls.client_certificate is not None and tls.client_key is not None:
        load_pair(context, tls.client_certificate, tls.client_key)
    return context


def _words(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
