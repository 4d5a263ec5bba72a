"""From a listening socket to connections whose handshake is done.

    accept ──> PROXY header, if the listener expects one ──> handshake ──> ClientConnection
                   └─ broken, late: closed                       └─ failed: alert, log line, closed

The event loop could do this by itself, but it drops the alert that tells a client why (uvloop 0.23 closes the socket
first), says nothing of failures, bounds nothing, and knows no PROXY header, which comes before the first TLS byte. One
task a handshake is little beside the handshake's own cost, and it ends with it. What comes after is `TlsSession`'s.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Final

from gateway.core import reasons
from gateway.core.problems import Answer, problem_response
from gateway.core.proxy_protocol import MAX_V2_BYTES, ProxyHeaderRefused, parse_proxy_header
from gateway.proxy.client import ClientConnection
from gateway.proxy.outcome import Outcome
from gateway.tls.server import reason_of
from gateway.tls.session import TlsSession

if TYPE_CHECKING:
    from gateway.proxy.listening import ListenerSettings
    from gateway.proxy.ports import Runtime
    from gateway.tls.server import ServerSide

ACCEPTS_AT_ONCE: Final = 32
"""More, and the connections that are open would wait for those that knock."""
LAST_ROUNDS: Final = 128
"""Of accepting when it closes: as many as the kernel's queue holds."""
EXHAUSTED_S: Final = 0.5
"""Without a free descriptor: how long to leave the queue to the kernel."""
PEEK_S: Final = 0.02
"""Between two looks at a PROXY header that came in pieces: the kernel does not tell of more bytes while some wait."""
PLAIN_HTTP: Final = Answer(
    400, reasons.PLAIN_HTTP, "a plain http request to a port that expects TLS, expected https", "tls_protocol_error"
)

_log = logging.getLogger("gateway.tls")


class TlsServer:
    """Accepts from one listening socket, which becomes its own, until it is closed."""

    def __init__(self, runtime: Runtime, settings: ListenerSettings, sock: socket.socket) -> None:
        self._runtime = runtime
        self._settings = settings
        self._sock = sock
        self._retry: asyncio.TimerHandle | None = None
        sock.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        runtime.loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Accept no more; what waits in the queue is accepted first, as far as it goes at once."""
        if self._sock.fileno() < 0:
            return
        for _ in range(LAST_ROUNDS):
            if not self._accept():
                break
        if self._retry is not None:
            self._retry.cancel()
        self._runtime.loop.remove_reader(self._sock)
        self._sock.close()

    def _accept(self) -> bool:
        """Whether more may wait."""
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                accepted, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return False
            except OSError as error:
                self._wait_for_descriptors(error)
                return False
            tls = self._settings.tls
            if tls is None or self._runtime.clients.handshakes >= self._settings.max_connections:
                accepted.close()
                continue
            accepted.setblocking(False)  # noqa: FBT003 - see above
            self._runtime.clients.handshakes += 1
            handshake = _Handshake(self._runtime, self._settings, tls, accepted, str(address[0]))
            self._runtime.spawn(handshake.run(), "handshake")
        return True

    def _wait_for_descriptors(self, error: OSError) -> None:
        _log.error("cannot accept on listener %s: %s", self._settings.name, error.strerror)
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            loop = self._runtime.loop
            loop.remove_reader(self._sock)
            self._retry = loop.call_later(EXHAUSTED_S, loop.add_reader, self._sock, self._accept)


class _Handshake:
    """One accepted connection, until its handshake has ended in one way or the other."""

    __slots__ = ("_address", "_runtime", "_settings", "_sock", "_started_at", "_tls")

    def __init__(
        self, runtime: Runtime, settings: ListenerSettings, tls: ServerSide, sock: socket.socket, address: str
    ) -> None:
        self._runtime = runtime
        self._settings = settings
        self._tls = tls
        self._sock = sock
        self._address = address
        self._started_at = runtime.now()

    async def run(self) -> None:
        """Never raises: whatever fails here is the client's."""
        runtime, settings = self._runtime, self._settings
        session: TlsSession | None = None
        try:
            async with asyncio.timeout(settings.tls_handshake_timeout_s):
                if settings.takes_proxy_header:
                    self._address = await self._read_proxy_header()
                connection = ClientConnection(runtime, settings, address=self._address)
                session = TlsSession(runtime.loop, self._tls.context, connection)
                await runtime.loop.connect_accepted_socket(lambda: session, self._sock)
                await session.shaken
        except ssl.SSLError as error:
            if session is not None:
                self._refuse(error, session)
        except TimeoutError:
            self._record(reasons.TLS_HANDSHAKE_TIMEOUT, "no TLS handshake in time")
            self._close(session)
        except (OSError, ProxyHeaderRefused):
            self._close(session)  # it left, or knocked only to see whether someone is at home
        except asyncio.CancelledError:
            self._close(session)
            raise
        finally:
            runtime.clients.handshake_ended()

    def _close(self, session: TlsSession | None) -> None:
        if session is not None:
            session.abort()
        else:
            self._sock.close()

    async def _read_proxy_header(self) -> str:
        """Exactly the header, and not a byte of what follows it. Raises `ProxyHeaderRefused`."""
        loop = self._runtime.loop
        if not self._settings.trust.includes(self._address):
            raise ProxyHeaderRefused("a peer whose PROXY header is not believed")
        while True:
            await _readable(loop, self._sock)
            peeked = self._sock.recv(MAX_V2_BYTES, socket.MSG_PEEK)
            if not peeked:
                raise ProxyHeaderRefused("a connection that ended before its PROXY header")
            header = parse_proxy_header(peeked)
            if header is not None:
                self._sock.recv(header.size)
                return header.client_ip or self._address
            await asyncio.sleep(PEEK_S)

    def _refuse(self, error: ssl.SSLError, session: TlsSession) -> None:
        reason = (reason_of(error) or str(error)).replace("_", " ").lower()
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"client certificate refused: {error.verify_message}"
        if reason_of(error) == "HTTP_REQUEST":
            request_id = self._runtime.next_request_id()
            session.refuse(
                problem_response(PLAIN_HTTP, node_id=self._runtime.node_id, request_id=request_id, close=True)
            )
        else:
            session.refuse()
        self._record(reasons.TLS_HANDSHAKE_FAILED, reason)

    def _record(self, reason: str, detail: str) -> None:
        runtime = self._runtime
        runtime.record(
            Outcome(
                listener=self._settings.name,
                client_ip=self._address,
                request_id=runtime.next_request_id(),
                started_at=self._started_at,
                status=0,
                route="",
                reason=reason,
                detail=detail,
            )
        )


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
