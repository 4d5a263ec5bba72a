"""Which API keys are there, and whose? The file of keys, read once, and looked up by digest.

    # one a line: name, colon, the key or its SHA-256
    desktop: 3fJk...            as it is
    mobile: sha256:9f86d081...  as `printf %s KEY | sha256sum` prints it

A key is never compared: its digest is looked up, so how long that takes tells nothing about any key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from gateway.core.principal import Principal

MAX_KEYS: Final = 100_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
_DIGEST: Final = re.compile(r"sha256:([0-9a-fA-F]{64})")
_KEY: Final = re.compile(r"[!-~]{8,4096}")


class CredentialFileRefused(ValueError):
    """A file that cannot be used; the message names the line, never what is secret in it."""


class KeyRing:
    """Immutable."""

    __slots__ = ("_holders",)

    def __init__(self, holders: Mapping[bytes, Principal]) -> None:
        self._holders = dict(holders)

    def __len__(self) -> int:
        return len(self._holders)

    def holder(self, key: bytes) -> Principal | None:
        """Whose key this is."""
        return self._holders.get(hashlib.sha256(key).digest())


def read_keys(content: bytes) -> KeyRing:
    """Raises `CredentialFileRefused`."""
    holders: dict[bytes, Principal] = {}
    for number, name, value in entries(content):
        hashed = _DIGEST.fullmatch(value)
        if hashed is None and (value.startswith("sha256:") or not _KEY.fullmatch(value)):
            raise CredentialFileRefused(
                f"line {number}: found neither a key nor its digest, "
                "expected 8 or more visible characters, or sha256: and 64 hexadecimal digits"
            )
        digest = bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(value.encode()).digest()
        if digest in holders:
            raise CredentialFileRefused(f"line {number}: found a key that stands there twice, expected it once")
        if len(holders) >= MAX_KEYS:
            raise CredentialFileRefused(f"line {number}: found more than {MAX_KEYS} keys")
        holders[digest] = Principal(name)
    return KeyRing(holders)


def entries(content: bytes) -> list[tuple[int, str, str]]:
    """Line number, name and value of each line that is neither empty nor a comment."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        at = content.count(b"\n", 0, error.start) + 1
        raise CredentialFileRefused(f"line {at}: found bytes that are not UTF-8") from None
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()  # noqa: PLW2901 - the line, without what nobody sees
        if not line or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not _NAME.fullmatch(name) or not value:
            raise CredentialFileRefused(f"line {number}: found no 'name: value', expected one a line")
        found.append((number, name, value))
    return found
