"""Did a node of this mesh write this, and for this purpose?

    sign(purpose, payload)  ──>  16 bytes     HMAC-SHA256, cut in half, by the first key
    seal(purpose, payload)  ──>  text         signature and payload in URL-safe base64, for cookies and headers
    open(purpose, text)     ──>  payload      or None: forged, cut, of another purpose, by a key that is known no more
    opened(purpose, text)   ──>  payload and which key: what an older one signed is best written anew

All keys verify and the first signs, so that keys rotate without a moment in which anything is refused. Each purpose
has a key of its own (derived, RFC 5869 in spirit): a sticky cookie never passes for a session token.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

from config.core.hmac_sha256 import Prepared, digest

SIGNATURE_BYTES: Final = 16
MAX_SEALED: Final = 8192
"""Characters; longer text is refused unread: nothing of ours is near."""


class Signer:
    """The signing keys of a mesh, at least one, the newest first. Their length is nobody's business: all are hashed."""

    __slots__ = ("_derived", "_keys")

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("no signing key, expected at least one")
        self._keys = tuple(keys)
        self._derived: dict[str, tuple[Prepared, ...]] = {}

    def sign(self, purpose: str, payload: bytes) -> bytes:
        """The first key's signature."""
        return self._of(purpose)[0].digest(payload)[:SIGNATURE_BYTES]

    def verify(self, purpose: str, payload: bytes, signature: bytes) -> bool:
        """Whether any key signed it, in constant time."""
        return any(hmac.compare_digest(key.digest(payload)[:SIGNATURE_BYTES], signature) for key in self._of(purpose))

    def seal(self, purpose: str, payload: bytes) -> str:
        """Payload and signature as one word of `A-Z a-z 0-9 - _`."""
        return base64.urlsafe_b64encode(self.sign(purpose, payload) + payload).rstrip(b"=").decode()

    def every(self, purpose: str, payload: bytes) -> tuple[bytes, ...]:
        """Each key's signature, the first key's first: by what names something without telling what it is."""
        return tuple(key.digest(payload)[:SIGNATURE_BYTES] for key in self._of(purpose))

    def open(self, purpose: str, sealed: str) -> bytes | None:
        """What was sealed; None for whatever this mesh did not seal for this purpose."""
        opened = self.opened(purpose, sealed)
        return None if opened is None else opened[0]

    def opened(self, purpose: str, sealed: str) -> tuple[bytes, int] | None:
        """The same, and the number of the key that signed it: 0 for the one that signs now."""
        if len(sealed) > MAX_SEALED:
            return None
        try:
            data = base64.b64decode(sealed.encode("ascii") + b"=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return None
        signature, payload = data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:]
        found = None
        for number, key in enumerate(self._of(purpose)):
            if hmac.compare_digest(key.digest(payload)[:SIGNATURE_BYTES], signature) and found is None:
                found = payload, number
        return found

    def _of(self, purpose: str) -> tuple[Prepared, ...]:
        derived = self._derived.get(purpose)
        if derived is None:
            derived = self._derived[purpose] = tuple(
                Prepared(digest(key, b"tidegate " + purpose.encode())) for key in self._keys
            )
        return derived
