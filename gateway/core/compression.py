"""Is this answer sent compressed, and as what? By what the client accepts and what the answer says of itself.

    Accept-Encoding, q-values  ──> the best that we offer too, or none            RFC 9110 section 12.5.3
    type, length, encoding     ──> worth it, and not done already
    no-transform, 206, HEAD    ──> not ours to change

A compressed answer is another representation: its strong ETag becomes a weak one, ranges of the original are not
offered, digests of it go. `Vary` is there whether or not this client got it compressed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from gateway.core.admission import replace_fields
from gateway.core.head import CHUNKED
from gateway.core.response import ResponseHead

_QUALITY: Final = re.compile(rb"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_COMPRESSIBLE: Final = re.compile(
    rb"text/[^;,\s]+|[^;,\s]+\+(?:json|xml|text|yaml)|application/(?:json|javascript|x-javascript|ecmascript|xml|wasm"
    rb"|x-ndjson|ndjson|json-seq|yaml|x-yaml|sql|graphql|rtf|vnd\.ms-fontobject|x-font-ttf)"
    rb"|font/(?:ttf|otf|collection)|image/(?:bmp|x-icon|vnd\.microsoft\.icon)"
)
_OF_THE_ORIGINAL: Final = (
    b"content-length",
    b"accept-ranges",
    b"content-md5",
    b"digest",
    b"content-digest",
    b"repr-digest",
)
_NEVER: Final = frozenset((204, 205, 206, 304))
MAX_PREFERENCES: Final = 32
"""Entries of an Accept-Encoding that are looked at."""


@lru_cache(maxsize=1024)
def negotiated(accepted: bytes, offered: tuple[str, ...]) -> str | None:
    """The coding that the client likes best, in our order among equals; None for a plain answer.

    `accepted` is the field's value. What is malformed in it is passed over, as if it were not there.
    """
    likes: dict[bytes, float] = {}
    for entry in accepted.lower().split(b",", MAX_PREFERENCES)[:MAX_PREFERENCES]:
        coding, semicolon, parameter = entry.partition(b";")
        key, equals, quality = parameter.partition(b"=")
        quality = quality.strip(b" \t")
        if not semicolon:
            likes[coding.strip(b" \t")] = 1.0
        elif equals and key.strip(b" \t") == b"q" and _QUALITY.fullmatch(quality):
            likes[coding.strip(b" \t")] = float(quality)
    likes.pop(b"", None)
    if b"x-gzip" in likes:
        likes.setdefault(b"gzip", likes[b"x-gzip"])
    others = likes.get(b"*", 0.0)
    best: str | None = None
    best_quality = 0.0
    for coding_offered in offered:
        quality_of = likes.get(coding_offered.encode(), others)
        if quality_of > best_quality:
            best, best_quality = coding_offered, quality_of
    return best if best_quality >= likes.get(b"identity", 0.0) else None


def is_worth_it(head: ResponseHead, facts: dict[bytes, bytes], *, method: str, min_size: int) -> bool:
    """Whether this answer may be sent compressed to whoever accepts it."""
    if method == "HEAD" or head.status in _NEVER or head.status < 200 or not head.body_length:
        return False
    if 0 < head.body_length < min_size or b"content-range" in facts:
        return False
    if facts.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
        return False
    if b"no-transform" in facts.get(b"cache-control", b"").lower():
        return False
    kind = facts.get(b"content-type", b"").partition(b";")[0].strip(b" \t").lower()
    return _COMPRESSIBLE.fullmatch(kind) is not None


def vary_line(facts: dict[bytes, bytes]) -> bytes:
    """What must be added so that caches tell the representations apart; empty where it is said already."""
    named = [name.strip(b" \t").lower() for name in facts.get(b"vary", b"").split(b",")]
    return b"" if b"*" in named or b"accept-encoding" in named else b"Vary: Accept-Encoding\r\n"


def encoded_head(head: ResponseHead, facts: dict[bytes, bytes], coding: str) -> ResponseHead:
    """The head of the compressed answer. `Vary` is the caller's."""
    changed = altered(head, facts)
    changed.forwarded_fields = replace_fields(
        changed.forwarded_fields, (b"content-encoding",), f"Content-Encoding: {coding}\r\n".encode()
    )
    return changed


def altered(head: ResponseHead, facts: dict[bytes, bytes]) -> ResponseHead:
    """A copy of the head, for a body of other bytes and unknown length."""
    changed = copied(head)
    changed.body_length = CHUNKED
    tag = facts.get(b"etag", b"")
    if tag and not tag.startswith(b"W/"):
        dropped: tuple[bytes, ...] = (*_OF_THE_ORIGINAL, b"etag")
        added = b"ETag: W/" + tag + b"\r\n"
    else:
        dropped, added = _OF_THE_ORIGINAL, b""
    changed.forwarded_fields = replace_fields(head.forwarded_fields, dropped, added)
    return changed


def copied(head: ResponseHead) -> ResponseHead:
    """Another one: an endpoint's last head is kept, and must stay what it was."""
    copy = ResponseHead()
    copy.status, copy.body_length, copy.keep_alive = head.status, head.body_length, head.keep_alive
    copy.forwarded_fields = head.forwarded_fields
    return copy
