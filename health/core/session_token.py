"""What has this client seen? The token that lets a later read, in any region, be at least as fresh.

    {stream: {origin: seq}} and the largest stamp seen, of one residency class, sealed with the mesh's signing keys

A token names one class only (a data type): a region that may not hold a class learns nothing of it, not even counts. A
client carries one a class; the header holds them separated by commas. The sync room writes tokens, the gateway reads
them to route (`consistency: read_your_writes`); both find the format here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from config.core.signing import Signer

HEADER: Final = "Tidegate-Session"
PURPOSE: Final = "session token"
MAX_TOKENS: Final = 16
"""In one header: more data types than one client works with."""
MAX_HEADER: Final = 16384


class SessionToken(msgspec.Struct, frozen=True, array_like=True):
    """Of one residency class."""

    residency_class: str
    hlc: int
    """The largest stamp that the client has seen: a store stamps its next write above it."""
    seen: dict[str, dict[str, int]]
    """By stream: origin to the highest sequence that the client depends on."""

    def is_covered(self, applied: Mapping[str, Mapping[str, int]]) -> bool:
        """Whether a store that has applied this much, by stream, is as fresh as the client."""
        for stream, vector in self.seen.items():
            has = applied.get(stream, {})
            if any(has.get(origin, 0) < seq for origin, seq in vector.items()):
                return False
        return True

    def joined(self, other: SessionToken) -> SessionToken:
        """Both together; of the same class."""
        seen = {stream: dict(vector) for stream, vector in self.seen.items()}
        for stream, vector in other.seen.items():
            into = seen.setdefault(stream, {})
            for origin, seq in vector.items():
                into[origin] = max(into.get(origin, 0), seq)
        return SessionToken(self.residency_class, max(self.hlc, other.hlc), seen)


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(SessionToken)


def seal(token: SessionToken, signer: Signer) -> str:
    return signer.seal(PURPOSE, _encode(token))


def unseal(text: str, signer: Signer) -> SessionToken | None:
    """The token; None for what this mesh did not write."""
    payload = signer.open(PURPOSE, text.strip())
    if payload is None:
        return None
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError:
        return None


def unseal_header(value: str, signer: Signer) -> dict[str, SessionToken] | None:
    """Tokens by class, from a header; None when any of them is forged, or there are too many."""
    if len(value) > MAX_HEADER:
        return None
    parts = [part for part in value.split(",") if part.strip()]
    if len(parts) > MAX_TOKENS:
        return None
    tokens: dict[str, SessionToken] = {}
    for part in parts:
        token = unseal(part, signer)
        if token is None:
            return None
        known = tokens.get(token.residency_class)
        tokens[token.residency_class] = token if known is None else known.joined(token)
    return tokens


def seal_header(tokens: Iterable[SessionToken], signer: Signer) -> str:
    return ", ".join(seal(token, signer) for token in tokens)
