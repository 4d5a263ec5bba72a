"""What do two stores say to each other, byte for byte?

    receiver  --Pull-->    sender     what I have of each stream, and how many bytes I take
              <--Pulled--             what you lack of those you may hold, and how far I am
              --Compare--> <--Compared--      what do these ranges of keys hold? digests
              --Fetch-->   <--Fetched--       pages of key states, and what a snapshot needs besides

    frame = magic | flags | length of the message | XXH3 of what follows | message, compressed where that helps
    flags = 1 where it is compressed, and in the three bits above the kind of question or answer

Pull, not push: the receiver knows what it has, so a lost, repeated or late answer costs nothing, and the bytes that it
asks for are all the sender may hold ready. `received` drives what is sent; `applied` is the receiver's confirmation
that it is durable and visible there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeVar

import msgspec
import xxhash
import zstandard

from sync.core.absorbing import Page
from sync.core.digests import Digest, KeyRange
from sync.core.dots import Dot, VersionVector, is_origin, is_vector
from sync.core.loss_log import KnownLoss
from sync.core.op_ids import Done, OpId
from sync.core.operation import Sealed

PROTOCOL: Final = 2
"""Raised when a message changes its meaning. Both sides say theirs; different ones are refused by name."""
MAX_REQUEST: Final = 4 << 20
MAX_ANSWER: Final = 64 << 20
"""More than any batch that the configuration allows plus one value of the largest size would be split; a frame that
claims more is refused unread."""
COMPRESS_FROM: Final = 512
"""Bytes below which compression gains nothing."""
LEVEL: Final = 1

_HEADER: Final = struct.Struct(">4sBIQ")
_MAGIC: Final = b"TGR1"
_COMPRESSED: Final = 1
_KIND_SHIFT: Final = 1
_KIND_MASK: Final = 7 << _KIND_SHIFT

Refusal = Literal["not_permitted", "unknown_stream", "refetch"]
"""This region may not hold it; the sender has no such stream; the log no longer reaches back: take a snapshot."""


class StreamHave(msgspec.Struct, frozen=True, array_like=True):
    """How far the receiver is in one stream."""

    stream: str
    received: VersionVector
    applied: VersionVector
    life: str
    """The origin under which the receiver writes the stream: what an earlier life of it confirmed counts no more."""
    resolver: str = ""
    """Version of the function that merges it for the receiver's readers; empty where none does."""


class Pull(msgspec.Struct, frozen=True, array_like=True):
    """One request. The order of `streams` is the order in which they are served."""

    protocol: int
    member: str
    """The receiving store, `region:id`: whose confirmation this is."""
    streams: tuple[StreamHave, ...]
    max_operations: int
    """Of one stream."""
    max_bytes: int
    """Of the whole answer; one operation comes even if it is larger."""
    wait_s: float
    """How long the sender may wait for news before it answers that there are none."""


class StreamNews(msgspec.Struct, frozen=True, array_like=True):
    """What the receiver lacked of one stream."""

    stream: str
    operations: tuple[Sealed, ...]
    heads: VersionVector
    """How far the sender is: what is behind `operations` is still to come."""
    resolver: str = ""
    """As in `StreamHave`, the sender's."""


class Pulled(msgspec.Struct, frozen=True, array_like=True):
    """The answer."""

    protocol: int
    member: str
    clock: float
    """The sender's wall clock, in seconds, when it answered."""
    news: tuple[StreamNews, ...]
    refused: tuple[tuple[str, Refusal], ...] = ()
    """Streams that were asked for in vain."""


class Compare(msgspec.Struct, frozen=True, array_like=True):
    """What do these ranges hold?"""

    protocol: int
    life: str
    """The origin under which the asking store writes the stream."""
    stream: str
    ranges: tuple[KeyRange, ...]


class Compared(msgspec.Struct, frozen=True, array_like=True):
    """The answer; of one moment."""

    protocol: int
    life: str
    """Of the answering store."""
    applied: VersionVector
    horizon: VersionVector
    """What deletes had replaced that are forgotten there."""
    digests: tuple[Digest, ...]
    refused: str = ""
    """Why there is none; empty when there is."""


class Fetch(msgspec.Struct, frozen=True, array_like=True):
    """A piece of what a store holds.

    base        where the log goes on
    operations  those of `dots` that are in the log
    losses      conflict records behind `loss`, at most `limit`
    remembered  operation ids behind `after`, at most `limit`
    page        key states of `within` from its start, at most `limit` keys and about `max_bytes`
    """

    protocol: int
    life: str
    stream: str
    what: Literal["base", "remembered", "page", "operations", "losses"]
    within: KeyRange = KeyRange()
    after: OpId | None = None
    limit: int = 0
    max_bytes: int = 0
    dots: tuple[Dot, ...] = ()
    loss: Dot | None = None


class Fetched(msgspec.Struct, frozen=True, array_like=True):
    """The answer, in the field that was asked for."""

    protocol: int
    life: str
    base: dict[str, tuple[int, bytes]] = {}
    keys: int = 0
    """With the base: how many keys live there."""
    remembered: tuple[tuple[OpId, Done], ...] = ()
    page: Page | None = None
    refused: str = ""
    operations: tuple[Sealed, ...] = ()
    losses: tuple[KnownLoss, ...] = ()


Question = Pull | Compare | Fetch


class FrameRefused(Exception):
    """Bytes that are no frame of ours, damaged, too large, or of another protocol. The message says what was found."""


Message = TypeVar("Message", Pull, Pulled, Compare, Compared, Fetch, Fetched)
AnyMessage = Pull | Pulled | Compare | Compared | Fetch | Fetched
_KINDS: Final[dict[type[AnyMessage], int]] = {Pull: 0, Pulled: 0, Compare: 1, Compared: 1, Fetch: 2, Fetched: 2}

_encode: Final = msgspec.msgpack.Encoder().encode


class _Codec:
    """Used by one caller at a time."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_idle_codecs: Final[list[_Codec]] = []
"""Kept, for making one takes four times as long as a small frame. As many as callers were there at once."""


@contextmanager
def _codec() -> Iterator[_Codec]:
    """One that nobody uses; one that has met a damaged frame is not kept."""
    try:
        codec = _idle_codecs.pop()
    except IndexError:
        codec = _Codec()
    yield codec
    _idle_codecs.append(codec)


def pack(message: AnyMessage) -> bytes:
    """The frame of a message."""
    raw = _encode(message)
    body, flags = raw, _KINDS[type(message)] << _KIND_SHIFT
    if len(raw) >= COMPRESS_FROM:
        with _codec() as codec:
            squeezed = codec.compressor.compress(raw)
        if len(squeezed) < len(raw):
            body, flags = squeezed, flags | _COMPRESSED
    return _HEADER.pack(_MAGIC, flags, len(raw), xxhash.xxh3_64_intdigest(body)) + body


def question(frame: bytes, *, at_most: int) -> Question:
    """Whatever a peer asks. Raises FrameRefused."""
    kind = (frame[4] & _KIND_MASK) >> _KIND_SHIFT if len(frame) >= _HEADER.size else 0
    if kind == _KINDS[Compare]:
        return unpack(frame, Compare, at_most=at_most)
    if kind == _KINDS[Fetch]:
        return unpack(frame, Fetch, at_most=at_most)
    return unpack(frame, Pull, at_most=at_most)


def unpack(frame: bytes, kind: type[Message], *, at_most: int) -> Message:
    """The message in a frame. Raises FrameRefused; costs no more than `at_most` bytes whatever the frame claims."""
    if len(frame) < _HEADER.size:
        raise FrameRefused(f"{len(frame)} bytes, expected a frame of at least {_HEADER.size}")
    magic, flags, length, checksum = _HEADER.unpack_from(frame)
    if magic != _MAGIC or flags & ~(_COMPRESSED | _KIND_MASK):
        raise FrameRefused(f"a frame that starts with {magic!r} and flags {flags}, expected {_MAGIC!r}")
    if flags >> _KIND_SHIFT != _KINDS[kind]:
        raise FrameRefused(f"a frame of kind {flags >> _KIND_SHIFT}, expected {kind.__name__}")
    if length > at_most:
        raise FrameRefused(f"a message of {length} bytes, expected at most {at_most}")
    body = frame[_HEADER.size :]
    if xxhash.xxh3_64_intdigest(body) != checksum:
        raise FrameRefused("a frame that was damaged on the way: its checksum differs")
    if flags & _COMPRESSED:
        try:
            with _codec() as codec:
                body = codec.decompressor.decompress(body, max_output_size=length)
        except zstandard.ZstdError as error:
            raise FrameRefused(f"a frame that does not decompress: {error}") from None
    if len(body) != length:
        raise FrameRefused(f"a message of {len(body)} bytes that claims {length}")
    try:
        message = msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FrameRefused(f"no {kind.__name__}: {error}") from None
    _check(message)
    return message


def _check(message: AnyMessage) -> None:
    if message.protocol != PROTOCOL:
        raise FrameRefused(f"protocol {message.protocol}, expected {PROTOCOL}")
    if not all(is_vector(vector) for vector in _vectors(message)):
        raise FrameRefused("a vector with an unsound origin or sequence")
    if isinstance(message, Compare | Fetch) and not is_origin(message.life):
        raise FrameRefused(f"a life {message.life!r}, expected region:store.incarnation")


def _vectors(message: AnyMessage) -> list[VersionVector]:
    if isinstance(message, Pull):
        return [vector for have in message.streams for vector in (have.received, have.applied, {have.life: 1})]
    if isinstance(message, Pulled):
        return [news.heads for news in message.news]
    if isinstance(message, Compared):
        return [message.applied, message.horizon]
    if isinstance(message, Fetched):
        states = () if message.page is None else (entry.state.context for entry in message.page.entries)
        page = [] if message.page is None else [message.page.applied, message.page.horizon]
        return [{origin: seq for origin, (seq, _) in message.base.items()}, *page, *states]
    return []
