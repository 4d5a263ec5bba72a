"""Has this client's operation been done already? Operation ids, idempotency keys and what is remembered of them.

    <client>:<sequence>     from a queue that numbers what it sends; remembered as one counter and what is out of order
    ~<client>:<sequence>    from whoever sends one request and may repeat it at once; remembered for minutes
    Idempotency-Key         any word; remembered for a day and within a bound, then forgotten

An id that comes again with the same request gets the first answer again; with another request it is refused. Of each
client the highest sequence is kept for ever and what was done in the WINDOW below it; sequences may arrive in any order
within that window. What lies below it was done or given up, nobody knows which any more, and is refused: claiming it
done could lose a write, doing it could repeat one.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

import msgspec

WINDOW: Final = 4096
"""Sequences remembered below a client's highest: more than a queue reorders, few enough to keep of every client."""
KEY_CLIENT: Final = "key "
"""Starts the client name under which an Idempotency-Key is kept: no client id holds a space."""
PASSING_CLIENT: Final = "~"
"""Starts the name of a client that lives for one request, such as the gateway makes to try again safely."""
_OP_ID: Final = re.compile(r"([A-Za-z0-9._~-]{1,128}):([0-9]{1,18})", re.ASCII)
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?", re.ASCII)
REQUEST_BYTES: Final = 16
KEEP_KEYS_MS: Final = 86_400_000
KEEP_PASSING_MS: Final = 300_000
MAX_KEYS: Final = 1_000_000
"""Idempotency keys that a class remembers; beyond it the oldest go first."""

Seen = Literal["new", "same", "different", "forgotten"]
"""forgotten: below the window; done or given up."""


class OpId(msgspec.Struct, frozen=True, gc=False):
    """Who asked, and which of its requests. An Idempotency-Key is a client of its own with the sequence 1."""

    client: str
    sequence: int

    @property
    def is_key(self) -> bool:
        return self.client.startswith(KEY_CLIENT)

    @property
    def is_passing(self) -> bool:
        """Remembered for a while only, and without a window of sequences."""
        return self.client.startswith((KEY_CLIENT, PASSING_CLIENT))

    def __str__(self) -> str:
        return f"{self.client}:{self.sequence}"


def parse_op_id(text: str) -> OpId | None:
    """None for what is not `<client>:<sequence>` with a sequence from 1."""
    match = _OP_ID.fullmatch(text)
    if match is None or int(match[2]) < 1:
        return None
    return OpId(match[1], int(match[2]))


def of_idempotency_key(text: str) -> OpId | None:
    """None for what is no printable word of at most 255 characters. Kept as a digest: keys may hold anything."""
    if _IDEMPOTENCY_KEY.fullmatch(text) is None:
        return None
    return OpId(KEY_CLIENT + hashlib.sha256(text.encode()).hexdigest()[:32], 1)


class Done(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of an operation that was done: enough to answer it again."""

    request: bytes
    origin: str
    seq: int
    status: int


def judge(op_id: OpId, *, highest: int, done: Done | None, request: bytes) -> Seen:
    """Whether it is new. `highest`: the client's highest sequence done; `done`: what is remembered under this id."""
    if done is not None:
        return "same" if done.request == request else "different"
    if not op_id.is_passing and op_id.sequence <= highest - WINDOW:
        return "forgotten"
    return "new"
