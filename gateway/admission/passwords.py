"""Is this password right? bcrypt takes its time by design: on threads, few at once, never twice for what was right."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt

from gateway.core import reasons
from gateway.core.credentials import Password, refused
from gateway.core.principal import Principal
from gateway.core.problems import Answer
from gateway.core.user_file import MAX_PASSWORD_BYTES, Verified

THREADS: Final = 2
"""Of a data plane. bcrypt lets go of the interpreter's lock, so traffic goes on beside it."""
MAX_WAITING: Final = 64
"""More are refused at once: at 50 ms a hash and two threads the last of them waits 1.6 s."""


class Passwords:
    """One data plane's."""

    def __init__(self, *, max_waiting: int = MAX_WAITING) -> None:
        self.verified = Verified(secrets.token_bytes(32))
        self._max_waiting = max_waiting
        self._waiting = 0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="password")

    @property
    def is_busy(self) -> bool:
        return self._waiting >= self._max_waiting

    async def verify(
        self, password: Password, hashed: bytes | None, nobodys: bytes, challenge: str
    ) -> Principal | Answer:
        """`hashed` is None for a user that is not there: it takes as long, and the answer is the same."""
        self._waiting += 1
        try:
            is_right = await asyncio.get_running_loop().run_in_executor(
                self._pool, _fits, password.secret, hashed or nobodys
            )
        finally:
            self._waiting -= 1
        if is_right and hashed is not None:
            self.verified.remember(password, hashed)
            return Principal(password.user)
        return refused(reasons.CREDENTIALS_REFUSED, "a user and password that do not fit", challenge)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _fits(secret: bytes, hashed: bytes) -> bool:
    if not 0 < len(secret) <= MAX_PASSWORD_BYTES:
        return False
    try:
        return bcrypt.checkpw(secret, hashed)
    except ValueError:
        return False
