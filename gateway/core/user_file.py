"""Which users are there, and what proves their passwords? The file that `htpasswd -B` writes: bcrypt hashes only.

What was verified once is remembered by a keyed digest of user, password and hash: a changed hash is another digest.
Only what was right is remembered, so guessing fills nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from gateway.core.credentials import Password
from gateway.core.key_file import CredentialFileRefused, entries

MAX_COST: Final = 14
"""Each step doubles the time; 14 is about a second of one core a guess."""
MAX_PASSWORD_BYTES: Final = 72
"""What bcrypt looks at; a longer password would be as good as its first 72 bytes."""
MAX_REMEMBERED: Final = 10_000

_HASH: Final = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}")
NOBODYS_HASH: Final = b"$2b$10$CwTycUXWue0Thq9StjUM0uJ8.kQ1Uu6Gz9G3tH1b3v0v0q7mSx1yG"
"""Compared with for unknown users, so that they take as long as known ones; no password is known to fit."""


class UserFile:
    """Users and hashes. Immutable."""

    __slots__ = ("_hashes", "nobodys")

    def __init__(self, hashes: Mapping[str, bytes]) -> None:
        self._hashes = dict(hashes)
        first = next(iter(self._hashes.values()), NOBODYS_HASH)
        self.nobodys = first[:7] + NOBODYS_HASH[7:]
        """At the cost of the file's first, which is commonly that of all."""

    def hash_of(self, user: str) -> bytes | None:
        return self._hashes.get(user)


def read_users(content: bytes) -> UserFile:
    """Raises `CredentialFileRefused`."""
    hashes: dict[str, bytes] = {}
    for number, name, value in entries(content):
        match = _HASH.fullmatch(value)
        if match is None:
            raise CredentialFileRefused(
                f"line {number}: found no bcrypt hash for user {name}, expected one as `htpasswd -B` writes it"
            )
        if not 4 <= int(match[1]) <= MAX_COST:
            raise CredentialFileRefused(f"line {number}: found bcrypt cost {match[1]}, expected 04 to {MAX_COST}")
        if name in hashes:
            raise CredentialFileRefused(f"line {number}: found user {name} twice, expected once")
        hashes[name] = value.encode()
    return UserFile(hashes)


class Verified:
    """Passwords that were right, least recently used forgotten first."""

    def __init__(self, key: bytes, *, limit: int = MAX_REMEMBERED) -> None:
        """`key` is this process's own, at random: a digest is worth nothing elsewhere."""
        self._key = key
        self._limit = limit
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def knows(self, password: Password, hashed: bytes) -> bool:
        digest = self._digest(password, hashed)
        if digest not in self._seen:
            return False
        self._seen.move_to_end(digest)
        return True

    def remember(self, password: Password, hashed: bytes) -> None:
        self._seen[self._digest(password, hashed)] = None
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)

    def __len__(self) -> int:
        return len(self._seen)

    def _digest(self, password: Password, hashed: bytes) -> bytes:
        user = password.user.encode()
        content = b"%d:%b%b%b" % (len(user), user, hashed, password.secret)
        return hashlib.blake2b(content, key=self._key, digest_size=32).digest()
