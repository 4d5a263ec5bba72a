"""What does a backup look like? One encrypted file a residency class: nobody without the key learns more than its head.

    magic | length of the head | head, JSON | frames, each: length | AES-256-GCM(frame), the last one marked

The key is derived from the operator's secret and a salt of the file. A frame's nonce is its number, and what is
authenticated with it is the head and whether it is the last: frames cannot be cut off, swapped or taken from another
backup. The head is readable, so that people can tell what a file is before they look for the key.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC: Final = b"TGBACK1\n"
FORMAT: Final = 1
FRAME_BYTES: Final = 1 << 20
MAX_HEAD_BYTES: Final = 64 << 10
SALT_BYTES: Final = 16
_LENGTH: Final = struct.Struct(">I")

Progress = Callable[[int, int], None]
"""(bytes done, bytes in all)."""


class BackupUnusable(Exception):
    """Not a backup, damaged, cut off, or under another key. Says what was found."""


class Head(msgspec.Struct, frozen=True):
    """What a backup is of."""

    format: int
    region: str
    store: str
    """The store's name, region:id."""
    residency_class: str
    made_at: float
    """Wall time in seconds: the moment whose state it is."""
    size: int
    """Of the content, in bytes."""
    salt: bytes
    streams: dict[str, int] = {}
    """Collections, with the keys that lived in each."""


def seal(source: Path, target: Path, *, head: Head, key: bytes, progress: Progress) -> None:
    """Write a backup of the file `source`, durably. Raises OSError."""
    encoded = msgspec.json.encode(head)
    cipher, about = _cipher(key, head.salt), hashlib.sha256(encoded).digest()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as content, os.fdopen(descriptor, "wb") as file:
        file.write(MAGIC + _LENGTH.pack(len(encoded)) + encoded)
        done = 0
        for index, (frame, is_last) in enumerate(_frames(content)):
            sealed = cipher.encrypt(_nonce(index), frame, about + bytes([is_last]))
            file.write(_LENGTH.pack(len(sealed)) + sealed)
            done += len(frame)
            progress(done, head.size)
        file.flush()
        os.fsync(file.fileno())


def read_head(source: Path) -> Head:
    """Raises BackupUnusable or OSError."""
    with source.open("rb") as file:
        return _head(file)[0]


def unseal(source: Path, target: Path, *, key: bytes, progress: Progress) -> Head:
    """Write the content of a backup to the new file `target`, durably; on a fault nothing is left of it.

    Raises BackupUnusable or OSError.
    """
    try:
        with source.open("rb") as file:
            return _unseal(file, target, key, progress)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _unseal(file: BinaryIO, target: Path, key: bytes, progress: Progress) -> Head:
    head, about = _head(file)
    cipher = _cipher(key, head.salt)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as content:
        done, index, is_last = 0, 0, False
        while not is_last:
            sealed = _read_frame(file)
            is_last = not file.peek(1)  # type: ignore[attr-defined]
            try:
                frame = cipher.decrypt(_nonce(index), sealed, about + bytes([is_last]))
            except InvalidTag:
                raise BackupUnusable(_why(index)) from None
            content.write(frame)
            done, index = done + len(frame), index + 1
            progress(done, head.size)
        if done != head.size:
            raise BackupUnusable(f"{done} bytes, expected {head.size}")
        content.flush()
        os.fsync(content.fileno())
    return head


def _why(index: int) -> str:
    if index == 0:
        return "a backup that this key does not open, or that is damaged at its start"
    return f"a backup that is damaged or cut off {index} MiB into it"


def _frames(content: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    frame = content.read(FRAME_BYTES)
    while True:
        following = content.read(FRAME_BYTES)
        yield frame, not following
        if not following:
            return
        frame = following


def _read_frame(file: BinaryIO) -> bytes:
    length = file.read(_LENGTH.size)
    if len(length) != _LENGTH.size or _LENGTH.unpack(length)[0] > FRAME_BYTES + 64:
        raise BackupUnusable("a backup that is cut off, or damaged")
    sealed = file.read(_LENGTH.unpack(length)[0])
    if len(sealed) != _LENGTH.unpack(length)[0]:
        raise BackupUnusable("a backup that is cut off")
    return sealed


def _head(file: BinaryIO) -> tuple[Head, bytes]:
    """The head, and the digest that frames are bound to."""
    start = file.read(len(MAGIC) + _LENGTH.size)
    if start[: len(MAGIC)] != MAGIC or len(start) != len(MAGIC) + _LENGTH.size:
        raise BackupUnusable(f"a file that starts with {start[:8]!r}, expected a backup of Tidegate")
    (length,) = _LENGTH.unpack(start[len(MAGIC) :])
    encoded = file.read(min(length, MAX_HEAD_BYTES))
    try:
        head = msgspec.json.decode(encoded, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupUnusable(f"a backup with an unreadable head: {error}") from None
    if head.format != FORMAT:
        raise BackupUnusable(f"a backup of format {head.format}, expected {FORMAT}")
    return head, hashlib.sha256(encoded).digest()


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=salt, info=b"tidegate backup").derive(key))


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")
