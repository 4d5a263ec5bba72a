"""What does a value look like at rest? Itself, or AES-256-GCM under a key of its residency class.

    data key  ──HKDF, class──>  class key  ──AES-GCM, fresh nonce──>  nonce + ciphertext + tag

The first key encrypts, all decrypt: which one it was stands beside the value. What is authenticated with it is the
dot, so that a value cannot be moved to another operation. Keys and metadata are not encrypted: lists go by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.core.operation import Sealed, without_value
from sync.errors import StoreUnavailable, ValueAltered

NONCE_BYTES: Final = 12


class Cipher:
    """Of one class. `encrypts`: whether new values are; old ones are read either way."""

    def __init__(
        self, residency_class: str, data_keys: Sequence[bytes], *, encrypts: bool, chance: Callable[[int], bytes]
    ) -> None:
        self._by_id: dict[int, AESGCM] = {}
        self._first: int | None = None
        self._chance = chance
        for data_key in data_keys:
            derive = HKDF(SHA256(), 32, salt=None, info=b"tidegate values at rest " + residency_class.encode())
            key = derive.derive(data_key)
            key_id = int.from_bytes(hashlib.sha256(b"id" + key).digest()[:4], "big")
            self._by_id.setdefault(key_id, AESGCM(key))
            if self._first is None and encrypts:
                self._first = key_id
        if encrypts and self._first is None:
            raise ValueError("no data key, expected at least one")

    @property
    def encrypts(self) -> bool:
        return self._first is not None

    def close(self, value: bytes, stream: str, origin: str, seq: int) -> tuple[bytes, int | None]:
        """A value as it is stored, and the id of its key."""
        if self._first is None:
            return value, None
        nonce = self._chance(NONCE_BYTES)
        return nonce + self._by_id[self._first].encrypt(nonce, value, _dot(stream, origin, seq)), self._first

    def open(self, stored: bytes, key_id: int | None, stream: str, origin: str, seq: int) -> bytes:
        """The value. Raises StoreUnavailable."""
        if key_id is None:
            return stored
        key = self._by_id.get(key_id)
        if key is None:
            raise StoreUnavailable("a value under a data key that is not configured, expected it in secrets.data_keys")
        try:
            return key.decrypt(stored[:NONCE_BYTES], stored[NONCE_BYTES:], _dot(stream, origin, seq))
        except InvalidTag:
            raise ValueAltered(f"a value of {stream} that was altered on disk: {seq}@{origin}") from None

    def to_send(self, stored: Sealed, key_id: int | None, stream: str, origin: str, seq: int) -> Sealed:
        """An operation as it lies in the log, for a peer; one whose value is lost goes without, and holds up no other.

        Raises StoreUnavailable.
        """
        try:
            return Sealed(stored.head, stored.salt, self.open(stored.value, key_id, stream, origin, seq))
        except ValueAltered:
            return without_value(stored)


def _dot(stream: str, origin: str, seq: int) -> bytes:
    return f"{stream}\0{origin}\0{seq}".encode()
