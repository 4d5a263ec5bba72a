"""Does an endpoint accept a connection?

    connect, close. Passed: `connected`. The round trip is that of the handshake.

    connection refused | connection reset | host unreachable | ...     the endpoint's or the network's answer
    no connection in 1s                                                 none came
    name not found | name not resolved in 1s                            for an endpoint given by name
    no free descriptor | ...                                            our own trouble: inconclusive

`TcpAttempt` is the first half of every attempt; `http.py` goes on where this one closes.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from health.core.probe import Outcome, ProbeTarget, spell_seconds
from health.probes.names import SocketAddress, literal_address

logger = logging.getLogger(__name__)

REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "connection timed out",
}

OUR_OWN_TROUBLE = {
    errno.EMFILE: "no free descriptor in this process",
    errno.ENFILE: "no free descriptor in this system",
    errno.ENOBUFS: "no buffer space in this system",
    errno.ENOMEM: "no memory in this system",
    errno.EADDRNOTAVAIL: "no free local port",
}
"""What says nothing about the endpoint."""


class Attempt(Protocol):
    """One attempt as the prober sees it; its `on_end` is called once with the outcome, unless it is abandoned."""

    def start(self) -> None: ...

    def expire(self) -> Outcome:
        """Its time is up: frees everything; the outcome is returned, `on_end` is not called any more."""

    def abandon(self) -> None:
        """Nobody wants to know any more: frees everything, says nothing."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What attempts need of the process around them."""

    loop: asyncio.AbstractEventLoop
    clock: Callable[[], float]
    agent: str
    """User-Agent of http probes."""
    lookup: Callable[[str, int], asyncio.Future[list[SocketAddress]]]


class TcpAttempt:
    """Connects and closes. Calls `on_end` from the loop, never from within `start`."""

    _socket_kind: ClassVar[int] = socket.SOCK_STREAM

    def __init__(self, target: ProbeTarget, surroundings: Surroundings, on_end: Callable[[Outcome], None]) -> None:
        self._target = target
        self._surroundings = surroundings
        self._loop = surroundings.loop
        self._on_end = on_end
        self._socket: socket.socket | None = None
        self._lookup: asyncio.Future[list[SocketAddress]] | None = None
        self._addresses: list[SocketAddress] = []
        """Still to be tried, the next one last."""
        self._connect_began = 0.0
        self._rtt_s: float | None = None
        self._outcome: Outcome | None = None
        self._has_ended = False
        self._is_heard = True

    def start(self) -> None:
        self._guard(self._find_address)

    def expire(self) -> Outcome:
        if self._outcome is None:
            reason = f"{self._waiting_for()} in {self._time_allowed()}"
            self._outcome = Outcome(passed=False, reason=reason, rtt_s=self._rtt_s)
        self.abandon()
        return self._outcome

    def abandon(self) -> None:
        self._is_heard = False
        self._has_ended = True
        self._release()

    def _find_address(self) -> None:
        literal = literal_address(self._target.host, self._target.port)
        if literal is not None:
            self._addresses = [literal]
            self._connect()
            return
        self._lookup = self._surroundings.lookup(self._target.host, self._target.port)
        self._lookup.add_done_callback(lambda _: self._guard(self._found))

    def _found(self) -> None:
        lookup, self._lookup = self._lookup, None
        if lookup is None or lookup.cancelled() or self._has_ended:
            return
        try:
            self._addresses = lookup.result()[::-1]
        except (socket.gaierror, UnicodeError):
            self._addresses = []
        if self._addresses:
            self._connect()
        else:
            self._end(passed=False, reason="name not found")

    def _connect(self) -> None:
        family, address = self._addresses.pop()
        self._socket = sock = socket.socket(family, self._socket_kind | socket.SOCK_NONBLOCK)
        self._connect_began = self._surroundings.clock()
        code = sock.connect_ex(address)
        if code in (0, errno.EINPROGRESS):
            self._loop.add_writer(sock, self._guard, self._handshake_ended)
        else:
            self._connect_failed(code)

    def _handshake_ended(self) -> None:
        sock = self._open_socket()
        self._loop.remove_writer(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0 and is_its_own_peer(sock):
            code = errno.ECONNREFUSED
        if code == 0:
            self._connected(sock)
        else:
            self._connect_failed(code)

    def _connect_failed(self, code: int) -> None:
        if self._addresses and code not in OUR_OWN_TROUBLE:
            self._release()
            self._connect()
        else:
            self._end_by_error(code)

    def _connected(self, sock: socket.socket) -> None:
        self._rtt_s = self._surroundings.clock() - self._connect_began
        self._end(passed=True, reason="connected")

    def _waiting_for(self) -> str:
        return "name not resolved" if self._socket is None else "no connection"

    def _time_allowed(self) -> str:
        settings = self._target.settings
        cut = (
            " (timeout cut to the longest gap between probes)"
            if settings.attempt_timeout_s < settings.timeout_s
            else ""
        )
        return spell_seconds(settings.attempt_timeout_s) + cut

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeError("attempt has no socket, expected its callbacks to be gone with it")
        return self._socket

    def _guard(self, step: Callable[[], None]) -> None:
        """Runs one step; whatever goes wrong in it ends the attempt, and is told."""
        if self._has_ended:
            return
        try:
            step()
        except OSError as error:
            self._end_by_error(error.errno or 0)
        except Exception as error:
            logger.exception("probe of %s ended by a defect of its own", self._target.endpoint)
            self._end(passed=None, reason=f"probe defect: {type(error).__name__}")

    def _end_by_error(self, code: int) -> None:
        if code in OUR_OWN_TROUBLE:
            self._end(passed=None, reason=OUR_OWN_TROUBLE[code])
        else:
            self._end(passed=False, reason=REASONS.get(code) or os.strerror(code).lower())

    def _end(self, *, passed: bool | None, reason: str) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self._outcome = Outcome(passed, reason, self._rtt_s)
        self._release()
        # Soon, not now: so that what the listener does, and gets wrong, is not taken for a fault of this attempt.
        self._loop.call_soon(self._tell, self._outcome)

    def _tell(self, outcome: Outcome) -> None:
        if self._is_heard:
            self._on_end(outcome)

    def _release(self) -> None:
        if self._lookup is not None:
            self._lookup.cancel()
            self._lookup = None
        if self._socket is not None:
            self._loop.remove_writer(self._socket)
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None


def is_its_own_peer(sock: socket.socket) -> bool:
    """With nobody listening on a port of the local range, a socket can be given that very port and, by a simultaneous
    open (RFC 9293, 3.5), meet itself. Nobody else is there."""
    return bool(sock.getsockname() == sock.getpeername())
