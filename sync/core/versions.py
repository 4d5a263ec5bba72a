"""What is true of one key, given everything that was written to it anywhere?

    KeyState = versions + context          a dotted version vector set (Preguiça, Almeida et al., 2012-2014)

    versions   those that nothing seen so far supersedes; more than one only when they are truly concurrent
    context    every dot of this key that has been seen, superseded ones too

What a write makes of it, and what two stores know together: merging.py.

The same client operation sent to two regions becomes two dots of one event, *aliases*. They are one version under the
lowest dot; `also` names the others, and who covers one covers all, or a retry would bring back what was overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from sync.core.dots import Dot, VersionVector, covers

MARK_BYTES: Final = 8


class Version(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One write that may be what the key holds. Its value lies in the log, under its dot."""

    origin: str
    seq: int
    hlc: int
    mark: bytes
    """Start of the operation's hash: the last word when two writes claim one dot."""
    is_deleted: bool
    content_type: str
    size: int
    written_ms: int
    client: str = ""
    sequence: int = 0
    request: bytes = b""
    also: tuple[Dot, ...] = ()
    """Other dots of the same event, in order."""

    @property
    def dot(self) -> Dot:
        return (self.origin, self.seq)

    @property
    def dots(self) -> tuple[Dot, ...]:
        """All of the event."""
        return (self.dot, *self.also) if self.also else (self.dot,)

    @property
    def order(self) -> tuple[int, str, int, bytes]:
        """Total: the clock first; then what no two writes share."""
        return (self.hlc, self.origin, self.seq, self.mark)

    @property
    def name(self) -> str:
        """What clients know it by."""
        return f"{self.seq}@{self.origin}"

    def is_covered(self, vector: Mapping[str, int]) -> bool:
        """Whether somebody who has seen `vector` has seen this event."""
        if covers(vector, self.origin, self.seq):
            return True
        return any(covers(vector, origin, seq) for origin, seq in self.also)

    def is_same_event(self, other: Version) -> bool:
        """One client operation, sent twice: the same id and the same request."""
        if self.dot == other.dot:
            return True
        return (
            self.client != ""
            and self.client == other.client
            and self.sequence == other.sequence
            and self.request == other.request
        )


class KeyState(msgspec.Struct, frozen=True, array_like=True):
    """One key. `versions` are in the order of their dots."""

    versions: tuple[Version, ...] = ()
    context: VersionVector = {}

    @property
    def is_live(self) -> bool:
        """Whether a reader finds anything."""
        for version in self.versions:  # noqa: SIM110 - asked of every write several times; a generator costs as much again
            if not version.is_deleted:
                return True
        return False

    @property
    def is_conflicted(self) -> bool:
        return len(self.versions) > 1

    def hlc(self) -> int:
        """The largest stamp among what it holds."""
        if len(self.versions) == 1:
            return self.versions[0].hlc
        return max((version.hlc for version in self.versions), default=0)


EMPTY: Final = KeyState()

_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(KeyState)


def encode_state(state: KeyState) -> bytes:
    return _encode(state)


def decode_state(data: bytes) -> KeyState:
    return _decoder.decode(data)
