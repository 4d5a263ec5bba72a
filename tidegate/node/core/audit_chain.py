"""Has nobody changed, removed or added a line of the audit log since it was written?

    segment  one writer's file      first hash = SHA-256 of the segment's name
    line     <hash> <json>\\n        hash = SHA-256(hash of the line before, json), so that each vouches for all before

A segment opens with a record that holds the last hash of every segment which is no longer written, so that whole files,
and ends of files, are vouched for by the next process. A line that stops in its middle at the very end is the sign of a
writer that was killed: it is no record, and healing cuts it off. Anything else that does not fit is a fault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

HASH_CHARACTERS: Final = 64

_encode: Final = msgspec.json.Encoder(order="sorted").encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def first_hash(segment: str) -> str:
    """What the first line of a segment builds on."""
    return hashlib.sha256(b"tidegate audit " + segment.encode()).hexdigest()


def sealed(previous: str, record: Mapping[str, Any]) -> tuple[bytes, str]:
    """The record's line, and its hash."""
    text = _encode(record)
    hashed = hashlib.sha256(previous.encode() + text).hexdigest()
    return hashed.encode() + b" " + text + b"\n", hashed


@dataclass(frozen=True, slots=True)
class Read:
    """What one segment holds."""

    segment: str
    records: tuple[dict[str, Any], ...]
    """Up to the first fault."""
    last_hash: str
    whole_bytes: int
    """Up to here it is sound; less than its size when the last record is half written, or when there is a fault."""
    is_torn: bool
    """Whether it ends in half a record."""
    fault: str | None
    """The first thing that does not fit, None where all does."""


def read(segment: str, data: bytes) -> Read:
    """Read and verify one segment."""
    records: list[dict[str, Any]] = []
    previous = first_hash(segment)
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            return Read(segment, tuple(records), previous, at, is_torn=True, fault=None)
        found = _opened(previous, data[at:end])
        if found is None:
            fault = f"line {len(records) + 1} is not what was written: its hash does not fit"
            return Read(segment, tuple(records), previous, at, is_torn=False, fault=fault)
        record, previous = found
        records.append(record)
        at = end + 1
    return Read(segment, tuple(records), previous, at, is_torn=False, fault=None)


def _opened(previous: str, line: bytes) -> tuple[dict[str, Any], str] | None:
    hashed, text = line[:HASH_CHARACTERS], line[HASH_CHARACTERS + 1 :]
    if hashlib.sha256(previous.encode() + text).hexdigest().encode() != hashed or line[HASH_CHARACTERS:][:1] != b" ":
        return None
    try:
        return _decode(text), hashed.decode()
    except msgspec.DecodeError:
        return None


def faults(segments: Mapping[str, Read]) -> Iterator[str]:
    """All that does not fit, in words: within segments, and between them."""
    for name, one in segments.items():
        if one.fault is not None:
            yield f"{name}: {one.fault}"
    for name, one in segments.items():
        heads = one.records[0].get("heads") if one.records else None
        for other, head in heads.items() if isinstance(heads, dict) else ():
            there = segments.get(other)
            if there is not None and there.fault is None and there.last_hash != head:
                yield f"{other}: its end is not the one that {name} has seen"
