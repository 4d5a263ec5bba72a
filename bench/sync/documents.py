"""What is written? JSON of a kilobyte, different in every byte that matters, and known again by its key alone.

A document's text is a hash of its key in base64: no two share a substring worth compressing, and whoever reads one back
can tell from the key what it must be.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

TEXT_BYTES: Final = 738
"""984 characters in base64; about 1,000 bytes with the rest of the document."""


class Document(NamedTuple):
    key: str
    value: bytes


class UnlikeWhatWasWritten(Exception):
    """What the other region holds is not what was written; says how."""


def key_of(run: str, number: int) -> str:
    """Keys of a run sort together, and sort as they were written."""
    return f"{run}-{number:07d}"


def value_of(key: str) -> bytes:
    text = base64.b64encode(hashlib.shake_128(key.encode()).digest(TEXT_BYTES))
    return b'{"n":%d,"text":"%b"}' % (int(key.rpartition("-")[2]), text)


def documents(run: str, count: int) -> list[Document]:
    return [Document(key, value_of(key)) for key in (key_of(run, number) for number in range(count))]


def batched(of: Sequence[Document], size: int) -> Iterator[Sequence[Document]]:
    for at in range(0, len(of), size):
        yield of[at : at + size]


def prove(found: Iterable[tuple[str, bytes]], keys: Iterable[str]) -> int:
    """How many there are: exactly those keys, each with its own value. Raises UnlikeWhatWasWritten."""
    expected, count = set(keys), 0
    for key, value in found:
        if key not in expected:
            raise UnlikeWhatWasWritten(f"found {key} twice, or not among what was written")
        if value != value_of(key):
            raise UnlikeWhatWasWritten(f"found another value under {key}: {value[:60]!r}")
        expected.discard(key)
        count += 1
    if expected:
        raise UnlikeWhatWasWritten(f"found {count} documents, expected {len(expected)} more, such as {min(expected)}")
    return count
