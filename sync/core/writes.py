"""What is asked of a store, and what does it answer? `local_batch` judges it.

Write  ──> Written, once its batch is committed
       ──> Refusal, for what it is
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sync.core.dots import VersionVector
from sync.core.op_ids import OpId
from sync.core.versions import KeyState

WriteKind = Literal["put", "delete", "patch", "resolve"]


class Write(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A write as a client asked for it."""

    stream: str
    key: str
    kind: WriteKind
    value: bytes = b""
    content_type: str = ""
    context: VersionVector | None = None
    """What the client had read, from its context token; None for a blind write."""
    seen_hlc: int = 0
    """The largest stamp in its tokens."""
    if_match: tuple[str, ...] | None = None
    """Entity tags, one of which must be the current one; `*` is any."""
    must_be_absent: bool = False
    op_id: OpId | None = None
    request: bytes = b""
    """Keyed digest of all that was asked; needed with `op_id`."""
    actor: str = ""
    needs_context: bool = False
    """Refuse it blind while the key is in conflict: an offline queue's write to a key that a person must resolve."""


class Written(msgspec.Struct, frozen=True, gc=False):
    """A write that is done once the batch is committed."""

    status: int
    origin: str
    seq: int
    state: KeyState
    """Of the key, right after this write (at a replay: now)."""
    hlc: int
    is_replay: bool = False


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A write that is not done."""

    status: int
    reason: str
    """Slug."""
    detail: str
