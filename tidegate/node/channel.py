"""How the control process and a data plane talk: messages, in order, either over a Unix stream or in memory.

    StreamChannel   4-byte big-endian length + JSON, between processes
    memory_pair()   two ends on one loop, for `workers: 0`; messages cross as they are

Both are bounded: a frame by `MAX_FRAME_BYTES`, the memory by `MAX_QUEUED`. Sending waits while the other side is slow,
and a side that has gone ends `receive` with None, never with an exception that each caller must know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

Sent = TypeVar("Sent")
Received = TypeVar("Received")
Sent_contra = TypeVar("Sent_contra", contravariant=True)
Received_co = TypeVar("Received_co", covariant=True)

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""Room for the largest configuration (4 MiB of text) as JSON and ten thousand verdicts beside it, and no more."""
MAX_QUEUED = 16
LENGTH_BYTES = 4


class ChannelClosed(ConnectionError):
    """The other side has gone; what was being sent is lost."""


class FrameTooLarge(ValueError):
    """A frame above `MAX_FRAME_BYTES`: not sent, or its sender is not one of us."""


class Channel(Protocol[Sent_contra, Received_co]):
    """One end of a conversation."""

    async def send(self, message: Sent_contra) -> None:
        """Raises `ChannelClosed` when the other side has gone."""

    async def receive(self) -> Received_co | None:
        """The next message, None when the other side has gone. Raises `ValueError` on nonsense."""

    def close(self) -> None:
        """Hang up; may be called again."""


class StreamChannel(Generic[Sent, Received]):
    """A channel over a connected stream socket."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Received],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._encode = encode
        self._decode = decode

    async def send(self, message: Sent) -> None:
        frame = self._encode(message)
        if len(frame) > MAX_FRAME_BYTES:
            raise FrameTooLarge(f"a message of {len(frame)} bytes, at most {MAX_FRAME_BYTES} may be sent")
        try:
            self._writer.write(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)
            await self._writer.drain()
        except (OSError, RuntimeError) as error:  # RuntimeError: uvloop's word for a transport that is closing
            raise ChannelClosed("the other side has gone") from error

    async def receive(self) -> Received | None:
        try:
            length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES), "big")
            if length > MAX_FRAME_BYTES:
                raise FrameTooLarge(f"a frame of {length} bytes, at most {MAX_FRAME_BYTES} may be received")
            return self._decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            return None

    def close(self) -> None:
        self._writer.close()


class _MemoryEnd(Generic[Sent, Received]):
    """One end of an in-memory pair."""

    def __init__(self, outgoing: asyncio.Queue[Sent | None], incoming: asyncio.Queue[Received | None]) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._is_closed = asyncio.Event()
        self.peer: _MemoryEnd[Received, Sent] | None = None

    async def send(self, message: Sent) -> None:
        if self._is_closed.is_set() or self.peer is None or self.peer._is_closed.is_set():
            raise ChannelClosed("the other side has gone")
        await self._outgoing.put(message)

    async def receive(self) -> Received | None:
        if self._is_closed.is_set():
            return None
        return await self._incoming.get()

    def close(self) -> None:
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        # None ends the reader on either side; a full queue loses its newest message, which nobody will act on now.
        for queue in (self._outgoing, self._incoming):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)


def memory_pair() -> tuple[_MemoryEnd[Any, Any], _MemoryEnd[Any, Any]]:
    """Two ends on this loop."""
    one: asyncio.Queue[Any] = asyncio.Queue(MAX_QUEUED)
    other: asyncio.Queue[Any] = asyncio.Queue(MAX_QUEUED)
    left: _MemoryEnd[Any, Any] = _MemoryEnd(one, other)
    right: _MemoryEnd[Any, Any] = _MemoryEnd(other, one)
    left.peer, right.peer = right, left
    return left, right
