"""Does an operator ask for the explanation of this very request, and what is kept of it?

    Tidegate-Debug: <sealed>   made by the admin API for an operator, under the mesh's signature, good for some minutes
        ├─ good       the answer carries `Tidegate-Explanation: <id>`; what was decided, and what came of it, is kept
        └─ anything else: counted, and the request goes on as if it were not there

The field is never forwarded. An explanation costs a millisecond, so a data plane makes a few a second and no more.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from config.core.signing import Signer

NAME: Final = b"tidegate-debug"
FIELD: Final = "Tidegate-Debug"
ANSWER_FIELD: Final = b"Tidegate-Explanation"
PURPOSE: Final = "debug"
MAX_VALID_S: Final = 3600.0
"""What is asked for at most: whoever sees the field can use it as long."""
PER_SECOND: Final = 20
MAX_KEPT: Final = 100
"""Until the next report."""

Explanation = dict[str, Any]


class Permit(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed."""

    until: float
    """Unix seconds."""
    author: str


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Permit).decode


def sealed(signer: Signer, *, until: float, author: str) -> str:
    """The field's value."""
    return signer.seal(PURPOSE, _encode(Permit(until, author)))


class DebugLedger:
    """One data plane's."""

    def __init__(self) -> None:
        self.refused = 0
        """Fields since the last report that are none of ours, or too old, or too many."""
        self._ended: list[Explanation] = []
        self._second = 0
        self._taken = 0

    def takes(self, signer: Signer, values: list[bytes], *, now: float) -> bool:
        """Whether a request with these fields is to be explained. `now` is wall seconds."""
        if len(values) == 1 and self._is_good(signer, values[0].decode("latin-1"), now) and self._has_room(now):
            return True
        self.refused += 1
        return False

    def _is_good(self, signer: Signer, value: str, now: float) -> bool:
        payload = signer.open(PURPOSE, value)
        if payload is None:
            return False
        try:
            permit = _decode(payload)
        except msgspec.DecodeError:
            return False
        return now < permit.until <= now + MAX_VALID_S

    def _has_room(self, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._taken = int(now), 0
        self._taken += 1
        return self._taken <= PER_SECOND and len(self._ended) < MAX_KEPT

    def keep(self, explanation: Explanation) -> None:
        """Its request has ended."""
        if len(self._ended) < MAX_KEPT:
            self._ended.append(explanation)

    def take(self) -> tuple[list[Explanation], int]:
        """What ended, and how many fields were refused, since the last call."""
        found = self._ended, self.refused
        self._ended, self.refused = [], 0
        return found
