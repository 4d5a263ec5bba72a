"""One client's TLS, between the socket's transport and the connection that speaks HTTP.

    transport ──data_received──> incoming ──> SSLObject ──data_received──> ClientConnection
              <──write────────── outgoing <── SSLObject <──write──────────

To the loop it is a protocol, to the connection a transport, so that neither knows of the other. The event loop's own
TLS does the same work; this one asks OpenSSL for nothing that is not there (a read that finds nothing costs an
exception), sends what it encrypts in one piece, keeps no more than 64 KiB of ciphertext besides the transport's buffer,
and can still send the alert of a handshake that failed (docs/decisions/0064).

    handshake ──> open ──> closing: our close_notify and FIN are sent, what still comes is dropped ──> gone
        └─ failed, late: `refuse`, `abort`   └─ the peer's close_notify, or its FIN without one: it has left

No half-closed connections: a client that ends its side has left (docs/decisions/0006). Renegotiation is refused by the
context. Times are the connection's to keep, except that a peer has `SHUTDOWN_S` to end its side after us.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Final, cast

RECORD_BYTES: Final = 16 * 1024
"""No record holds more, so that a read of so many leaves nothing behind that is decrypted."""
PIECE_BYTES: Final = 64 * 1024
"""Encrypted at a time: a buffer of OpenSSL's keeps the size of the largest piece that it ever held."""
SHUTDOWN_S: Final = 2.0
"""How long a peer may take to end its side after us; what it still sends meanwhile is dropped."""


class TlsSession(asyncio.Protocol):
    """Made for one accepted socket; `shaken` is done when its handshake is."""

    __slots__ = (
        "_connection",
        "_ending",
        "_incoming",
        "_is_closing",
        "_is_open",
        "_is_reading_paused",
        "_loop",
        "_outgoing",
        "_tls",
        "_transport",
        "shaken",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, context: ssl.SSLContext, connection: asyncio.Protocol) -> None:
        self._loop = loop
        self._connection: asyncio.Protocol | None = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._transport: asyncio.Transport | None = None
        self._is_open = False
        """Whether the connection knows of it."""
        self._is_closing = False
        self._is_reading_paused = False
        self._ending: asyncio.TimerHandle | None = None
        self.shaken: asyncio.Future[None] = loop.create_future()
        """Fails with `ssl.SSLError` for what is wrong with the handshake, with `OSError` for a client that left."""

    # -- the socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._incoming.write(data)
        if self._is_open:
            self._read()
        else:
            self._shake_hands()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
            return
        except ssl.SSLError as error:
            self._is_closing = True  # `refuse` says the last words
            self._settle(error)
            return
        self._send()
        if self._connection is not None:
            self._is_open = True
            self._connection.connection_made(cast(asyncio.BaseTransport, self))
            self._settle(None)
            self._read()

    def _settle(self, error: Exception | None) -> None:
        if self.shaken.done():
            return
        if error is None:
            self.shaken.set_result(None)
        else:
            self.shaken.set_exception(error)

    def _read(self) -> None:
        """Pass on what has come, in one piece."""
        connection = self._connection
        if self._is_reading_paused or self._is_closing or connection is None:
            return
        pieces: list[bytes] = []
        incoming, tls = self._incoming, self._tls
        has_ended = False
        try:
            while incoming.pending and not has_ended:
                data = tls.read(RECORD_BYTES)
                if data:
                    pieces.append(data)
                else:
                    has_ended = True
        except ssl.SSLWantReadError:
            pass  # the rest of a record is still to come
        except ssl.SSLError as error:
            self._fail(error)
            return
        if self._outgoing.pending:
            self._send()  # an answer to an update of keys
        if pieces:
            connection.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if has_ended and not self._is_closing:
            connection.eof_received()
            self._part()
            self._end()

    def eof_received(self) -> bool:
        """The peer has left, with or without saying so; the loop closes the transport."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        connection, self._connection = self._connection, None
        self._is_closing = True
        if self._ending is not None:
            self._ending.cancel()
        self._settle(error or ConnectionResetError("the client left during the handshake"))
        if self._is_open and connection is not None:
            connection.connection_lost(error)

    def pause_writing(self) -> None:
        if self._is_open and self._connection is not None:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        if self._is_open and self._connection is not None:
            self._connection.resume_writing()

    # -- before the handshake is done

    def refuse(self, last_words: bytes = b"") -> None:
        """The handshake has failed: say why, by `last_words` or else by OpenSSL's alert, and close."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            words = last_words or self._outgoing.read()
            if words:
                transport.write(words)
            transport.close()

    # -- the connection's side

    def write(self, data: bytes) -> None:
        transport = self._transport
        if self._is_closing or transport is None:
            return
        try:
            if len(data) <= PIECE_BYTES:
                self._tls.write(data)
                transport.write(self._outgoing.read())
            else:
                view, pieces = memoryview(data), []
                for start in range(0, len(data), PIECE_BYTES):
                    self._tls.write(view[start : start + PIECE_BYTES])
                    pieces.append(self._outgoing.read())
                transport.writelines(pieces)  # one system call: one a piece took a third more CPU to stream
        except ssl.SSLError as error:
            self._fail(error)

    def pause_reading(self) -> None:
        if not self._is_reading_paused and not self._is_closing and self._transport is not None:
            self._is_reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._is_reading_paused and not self._is_closing and self._transport is not None:
            self._is_reading_paused = False
            self._transport.resume_reading()
            if self._incoming.pending:
                self._loop.call_soon(self._read)

    def close(self) -> None:
        """When what was written has left, and the peer has ended its side or had time to."""
        transport = self._transport
        if self._is_closing or transport is None:
            return
        self._part()
        if transport.is_closing():
            return
        if self._is_reading_paused:
            transport.resume_reading()
        transport.write_eof()
        self._ending = self._loop.call_later(SHUTDOWN_S, self._cut)

    def abort(self) -> None:
        """At once; what has not left never will."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()

    def is_closing(self) -> bool:
        return self._is_closing or self._transport is None or self._transport.is_closing()

    def can_write_eof(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=high, low=low)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "ssl_object":
            return self._tls
        return self._transport.get_extra_info(name, default) if self._transport is not None else default

    # -- the end

    def _part(self) -> None:
        """Tell the peer by close_notify that this was all."""
        self._is_closing = True
        with contextlib.suppress(ssl.SSLError):  # its own close_notify is not here, or never will be
            self._tls.unwrap()
        self._send()

    def _fail(self, error: ssl.SSLError) -> None:
        """What came is no TLS, or was changed on its way: say so by an alert, and close."""
        self._is_closing = True
        self._send()
        self._end()

    def _end(self) -> None:
        """The peer is not waited for, only what was written, for a while."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            self._ending = self._loop.call_later(SHUTDOWN_S, self.abort)

    def _send(self) -> None:
        data = self._outgoing.read()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _cut(self) -> None:
        """The peer has had its time. One that does not read what was written is the connection's to wait for."""
        transport = self._transport
        if transport is not None and not transport.get_write_buffer_size():
            transport.abort()
