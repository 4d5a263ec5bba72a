"""Bytes in, compressed bytes out, piece by piece: what came so far can be read by the client at once.

Each piece ends on a border (a flush), so that an event stream or a slow page is not held back by its compression.
Memory is bounded by the windows: at most about 1 MiB a coder.
"""

from __future__ import annotations

import zlib
from typing import Final, Protocol

import brotli
import zstandard

_ZSTD: Final = zstandard.ZstdCompressionParameters.from_level(3, window_log=18)
_BROTLI_QUALITY: Final = 4
"""About gzip's speed, and smaller; 11, the library's own, is a hundred times slower."""
_BROTLI_WINDOW: Final = 18
_GZIP_LEVEL: Final = 5
_GZIP_WINDOW: Final = 31
"""15, and 16 for gzip's header."""


class Coder(Protocol):
    """One body's. Used by one thread at a time."""

    def piece(self, data: bytes, *, ended: bool) -> bytes:
        """What `data` becomes; with its end after the last."""


class Zstd:
    __slots__ = ("_object",)

    def __init__(self) -> None:
        self._object = zstandard.ZstdCompressor(compression_params=_ZSTD).compressobj()

    def piece(self, data: bytes, *, ended: bool) -> bytes:
        flush = zstandard.COMPRESSOBJ_FLUSH_FINISH if ended else zstandard.COMPRESSOBJ_FLUSH_BLOCK
        return self._object.compress(data) + self._object.flush(flush)


class Brotli:
    __slots__ = ("_object",)

    def __init__(self) -> None:
        self._object = brotli.Compressor(quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW)

    def piece(self, data: bytes, *, ended: bool) -> bytes:
        begun: bytes = self._object.process(data)
        rest: bytes = self._object.finish() if ended else self._object.flush()
        return begun + rest


class Gzip:
    __slots__ = ("_object",)

    def __init__(self) -> None:
        self._object = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def piece(self, data: bytes, *, ended: bool) -> bytes:
        return self._object.compress(data) + self._object.flush(zlib.Z_FINISH if ended else zlib.Z_SYNC_FLUSH)


_CODERS: Final[dict[str, type[Zstd] | type[Brotli] | type[Gzip]]] = {"zstd": Zstd, "br": Brotli, "gzip": Gzip}


def coder(coding: str) -> Coder:
    return _CODERS[coding]()
