"""Does an endpoint's gRPC health service say that it serves? What it says: `health/core/grpc_health.py`.

    plain            connect, HTTP/2 with prior knowledge, one call, close
    `upstream_tls`   connect, handshake with ALPN h2, one call, close

Needs the extra `grpc`. Outcomes of connecting and of TLS are those of `tcp.py` and `https.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import ClassVar

from health.core.grpc_health import GrpcHealth
from health.core.probe import Outcome, ProbeTarget
from health.probes.http import READ_BYTES, WOULD_BLOCK, HttpAttempt, authority
from health.probes.https import HttpsAttempt
from health.probes.tcp import Surroundings


class GrpcAttempt(HttpsAttempt):
    """Connects, shakes hands where TLS is spoken, calls, closes."""

    ALPN: ClassVar[tuple[str, ...]] = ("h2",)

    def __init__(self, target: ProbeTarget, surroundings: Surroundings, on_end: Callable[[Outcome], None]) -> None:
        super().__init__(target, surroundings, on_end)
        settings = target.settings
        self._health = GrpcHealth(
            service=settings.grpc_service or "",
            authority=authority(target),
            agent=surroundings.agent,
            scheme="http" if settings.tls is None else "https",
            timeout_s=settings.attempt_timeout_s,
        )
        self._unsent = self._health.begin()

    def _connected(self, sock: socket.socket) -> None:
        if self._target.settings.tls is None:
            HttpAttempt._connected(self, sock)
        else:
            super()._connected(sock)

    def _read(self) -> None:
        try:
            data = self._open_socket().recv(READ_BYTES)
        except WOULD_BLOCK:
            return
        if data and self._rtt_s is None and self._asked_at is not None:
            self._rtt_s = self._surroundings.clock() - self._asked_at
        outcome = self._health.feed(data) if data else self._health.ended()
        if outcome is not None:
            self._end(passed=outcome.passed, reason=outcome.reason)
            return
        self._unsent += self._health.to_send()
        if self._unsent:
            self._send()

    def _waiting_for(self) -> str:
        waiting = super()._waiting_for()
        return "answer not complete" if waiting == "no answer" and self._health.has_begun else waiting
