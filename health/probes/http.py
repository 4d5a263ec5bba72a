"""Does an endpoint answer as it should?

    connect, GET, read the answer to its end, close. What the answer says: `health/core/answer.py`.

    no answer in 1s              connected, and not one byte of an answer
    answer not complete in 1s    it began, and dripped or stopped
    connection reset             by the endpoint, before the answer was settled

HTTP/1.1 with `Connection: close` on a new connection each time: see `health/probes/__init__.py`. The round trip is from
the request written to the answer's first byte.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from health.core.answer import Answer
from health.core.probe import Outcome, ProbeTarget
from health.probes.tcp import Surroundings, TcpAttempt

READ_BYTES = 64 * 1024
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class HttpAttempt(TcpAttempt):
    """Connects, asks, reads, closes."""

    def __init__(self, target: ProbeTarget, surroundings: Surroundings, on_end: Callable[[Outcome], None]) -> None:
        super().__init__(target, surroundings, on_end)
        self._unsent = request_head(target, agent=surroundings.agent)
        self._answer = Answer(target.settings)
        self._asked_at: float | None = None

    def _connected(self, sock: socket.socket) -> None:
        self._asked_at = self._surroundings.clock()
        self._loop.add_reader(sock, self._guard, self._readable)
        self._send()

    def _send(self) -> None:
        sock = self._open_socket()
        try:
            sent = sock.send(self._unsent)
        except WOULD_BLOCK:
            sent = 0
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(sock, self._guard, self._send)
        else:
            self._loop.remove_writer(sock)

    def _readable(self) -> None:
        self._read()

    def _read(self) -> None:
        try:
            data = self._open_socket().recv(READ_BYTES)
        except WOULD_BLOCK:
            return
        if data and self._rtt_s is None and self._asked_at is not None:
            self._rtt_s = self._surroundings.clock() - self._asked_at
        outcome = self._answer.feed(data) if data else self._answer.ended()
        if outcome is not None:
            self._end(passed=outcome.passed, reason=outcome.reason)

    def _waiting_for(self) -> str:
        if self._asked_at is None:
            return super()._waiting_for()
        return "answer not complete" if self._answer.has_begun else "no answer"


def request_head(target: ProbeTarget, *, agent: str) -> bytes:
    """The whole request. Its parts are free of what could end a line: `ProbeSettings` and the prober see to that."""
    return (
        f"GET {target.settings.path} HTTP/1.1\r\n"
        f"Host: {authority(target)}\r\n"
        f"User-Agent: {agent}\r\n"
        "Accept: */*\r\n"
        "Connection: close\r\n"
        "\r\n"
    ).encode()


def authority(target: ProbeTarget) -> str:
    """What a Host field says: the configured name, or the address, with the port where it is not the scheme's own."""
    host = target.settings.host or target.host
    field = f"[{host}]" if ":" in host else host
    is_default = target.port == (443 if target.settings.tls is not None or target.settings.protocol == "https" else 80)
    return field if target.settings.host is not None or is_default else f"{field}:{target.port}"
