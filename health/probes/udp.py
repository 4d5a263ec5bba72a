"""Does an endpoint take datagrams?

    one datagram out, then, within the timeout:

    a datagram comes back    with `expected_body`: passed when it holds the text (`answered`), else `body mismatch`,
                             at the end of the timeout, for a better one may follow; without: passed
    it is refused            `connection refused`: the endpoint's system says by ICMP that nobody listens there
    silence                  with `expected_body`: failed, `no answer in 1s`; without: passed, `no refusal in 1s`

Most services over UDP say nothing to what they do not understand, and a datagram can be lost, so silence alone says
nothing: a host that is gone altogether is found only with `expected_body`. What is sent is one line, the User-Agent of
http probes; a service that is to be told from a dead one answers it, or anything, with the expected text.

A probe of a silent service holds its slot for its whole timeout. No round trip is measured without an answer.
"""

from __future__ import annotations

import socket
from typing import ClassVar

from health.core.probe import Outcome
from health.probes.tcp import TcpAttempt

MAX_DATAGRAMS = 16
"""Looked at in one probe; whoever floods is not listened to any longer."""
MAX_BYTES = 64 * 1024


class UdpAttempt(TcpAttempt):
    """Sends one datagram and listens."""

    _socket_kind: ClassVar[int] = socket.SOCK_DGRAM
    _datagrams = 0

    def expire(self) -> Outcome:
        settings = self._target.settings
        if self._outcome is None and self._socket is not None:
            if settings.expected_body is None:
                self._outcome = Outcome(passed=True, reason=f"no refusal in {self._time_allowed()}")
            elif self._datagrams:
                self._outcome = Outcome(passed=False, reason="body mismatch", rtt_s=self._rtt_s)
        return super().expire()

    def _connected(self, sock: socket.socket) -> None:
        # "Connected" means to a datagram socket that it has a peer, whose refusals it hears.
        self._loop.add_reader(sock, self._guard, self._readable)
        sock.send(f"{self._surroundings.agent}\n".encode())

    def _readable(self) -> None:
        try:
            data = self._open_socket().recv(MAX_BYTES)
        except BlockingIOError:
            return
        if self._rtt_s is None:
            self._rtt_s = self._surroundings.clock() - self._connect_began
        self._datagrams += 1
        expected = self._target.settings.expected_body
        if expected is None or expected.encode() in data:
            self._end(passed=True, reason="answered")
        elif self._datagrams >= MAX_DATAGRAMS:
            self._end(passed=False, reason=f"body mismatch in {MAX_DATAGRAMS} datagrams")

    def _waiting_for(self) -> str:
        return super()._waiting_for() if self._socket is None else "no answer"
