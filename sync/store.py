"""What must a store of the clients' data be able to do? The seam between the data room and where data lies.

                 write, read, list, changes, conflicts                receive, operations_after, heads, acknowledge
    data API  ────────────────────────────────────────>  Store  <────────────────────────────────────────  replication

                 compare, copy, forget, note                    sync/replication: anti-entropy, snapshots, retention

A store opens one *class* (a data type, with the streams of its collections) or several; every stream lies wholly in one
of its transactions' domains. There are two: SQLite files in the node's data directory (sync/sqlite), and a region's
PostgreSQL (sync/postgres). Both run the same pure batches (sync/core/local_batch.py, sync/core/arrivals.py) inside one
transaction each, and pass the one contract suite (tests/integration/sync/store_contract.py). The rules, for all:

1. `write` and `receive` return after what they report is durable; a caller may acknowledge at once.
2. One transaction a batch: log, key states, heads, operation ids, conflict records and the clock's bound, or nothing.
3. Sequences of the own origin have no gaps: they are taken inside that transaction.
4. A batch that cannot be written (disk full) raises StoreFull and has changed nothing; reads go on.
5. A store that lost memory (made new, restored, corrupt) starts a new incarnation before it writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from sync.core.absorbing import Absorbed, Page, Purpose
from sync.core.arrivals import ReceiptProblem
from sync.core.digests import Digest, KeyRange
from sync.core.dots import Dot, VersionVector
from sync.core.loss_log import KnownLoss
from sync.core.op_ids import Done, OpId
from sync.core.operation import Operation, Sealed
from sync.core.versions import KeyState, Version
from sync.core.writes import Refusal, Write, Written


class Body(msgspec.Struct, frozen=True):
    """A version and its value. `value` is None once it was erased."""

    version: Version
    value: bytes | None


class Record(msgspec.Struct, frozen=True):
    """One key with the values of all its versions, tombstones left out."""

    key: str
    state: KeyState
    bodies: tuple[Body, ...]


class Listed(msgspec.Struct, frozen=True):
    """One key of a list."""

    key: str
    state: KeyState


class Change(msgspec.Struct, frozen=True):
    """One applied operation, in the order in which this store applied them."""

    position: int
    """Grows; says nothing in another store."""
    operation: Operation
    mark: bytes
    """Start of its hash, as in `Version.mark`."""
    value: bytes | None
    """None for a delete, or when it was erased."""
    is_current: bool
    """Whether the key still holds this version."""
    version: str
    """As its key names it: of one event that was sent to two regions, the name of both."""


class Changes(msgspec.Struct, frozen=True):
    """A page of the change feed. `next` is the cursor after it."""

    changes: tuple[Change, ...]
    next: Cursor
    since: VersionVector = {}
    """What the page's own cursor had applied: for cursors in its middle."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A place in a stream's feed: exact in the store that made it, and near enough, never beyond, in any other."""

    stream: str
    origin: str
    """Of the store that counted `position`."""
    position: int
    applied: VersionVector
    """What had been applied there when the cursor was made: where another store goes on."""


class Heads(msgspec.Struct, frozen=True):
    """How far a stream has come in this store."""

    received: VersionVector
    applied: VersionVector
    digests: dict[str, bytes]
    """Hash of the last received operation, by origin."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of a batch from a peer; durable."""

    applied: int
    held: int
    duplicates: int
    heads: Heads
    problem: ReceiptProblem | None = None
    """Why the rest was not taken. What came before it was."""


class HeldOperation(msgspec.Struct, frozen=True):
    """Received, not applied."""

    operation: Operation
    reason: str
    visible_at: float | None


class ConflictRecord(msgspec.Struct, frozen=True):
    """A version that lost to a concurrent one by the clock. Known by the loser's dot."""

    key: str
    loser: Version
    winner: Dot
    detected_ms: int


class StreamStats(msgspec.Struct, frozen=True):
    """Figures of one stream."""

    keys: int
    tombstones: int
    in_conflict: int
    log_operations: int
    log_bytes: int
    conflict_records: int
    conflict_bytes: int
    held: int
    quarantined: int = 0
    """Of those held: operations that cannot be applied, or not as they came."""


Base = dict[str, tuple[int, bytes]]
"""By origin: up to where all is applied, and the hash of the operation there. Where a log can go on from."""


class Digests(msgspec.Struct, frozen=True):
    """What ranges of keys hold, all at one moment."""

    applied: VersionVector
    horizon: VersionVector
    """What deletes had replaced that are forgotten here."""
    digests: tuple[Digest, ...]


class Store(Protocol):
    """One store. Streams are named by their collections. `now` is wall time in seconds."""

    def origin(self, stream: str) -> str:
        """The origin under which this store writes the stream: one incarnation of it."""

    def streams(self) -> Sequence[str]:
        """What it holds."""

    # Clients

    async def write(self, writes: Sequence[Write], *, now: float) -> list[Written | Refusal]:
        """Judge and commit local writes, of any streams, in order. Concurrent calls are committed together."""

    async def read(self, stream: str, key: str) -> Record | None:
        """A key that was ever written; its state may hold tombstones only."""

    async def list_keys(self, stream: str, *, prefix: str, after: str, limit: int) -> list[Listed]:
        """Live keys in order of their UTF-8 bytes, from behind `after`."""

    async def changes(self, stream: str, since: Cursor | None, *, limit: int, max_bytes: int) -> Changes:
        """Applied operations after a cursor, oldest first; None is from the beginning. Raises CursorExpired."""

    async def cursor(self, stream: str) -> Cursor:
        """The end of the feed now."""

    async def wait_for_change(self, positions: Mapping[str, int], *, timeout_s: float) -> bool:
        """Until something was applied behind any of these positions, by stream; False when nothing was in time."""

    async def in_conflict(self, stream: str, *, after: str, limit: int) -> list[Listed]:
        """Keys with concurrent versions, in order."""

    async def conflict_log(self, stream: str, *, after: Dot | None, limit: int) -> list[ConflictRecord]:
        """Versions that lost by the clock, in order of their dots."""

    async def value_of(self, stream: str, dot: Dot) -> bytes | None:
        """The value of any version that the log still holds, losers too."""

    # Other stores

    async def receive(
        self, stream: str, operations: Sequence[Sealed], *, now: float, poison: Collection[Dot] = ()
    ) -> Receipt:
        """Verify and apply a peer's operations; each origin's in its order. Idempotent.

        `poison`: those to be held as quarantined, for what came was no use. Raises Unstorable where the store itself
        refuses something of it, and then has taken nothing.
        """

    async def operations_after(
        self, stream: str, have: Mapping[str, int], *, max_operations: int, max_bytes: int
    ) -> list[Sealed]:
        """What lies behind a peer's heads, of all origins, each origin's in order; held ones too. At least one, if any.

        Raises CursorExpired when the log was pruned beyond `have`: the peer needs a snapshot.
        """

    async def heads(self, stream: str) -> Heads:
        """How far it has come."""

    async def acknowledge(self, stream: str, member: str, vector: VersionVector) -> None:
        """A member (one life of a store: an origin) says what it has applied durably. Never goes back."""

    async def acknowledged(self, stream: str) -> dict[str, VersionVector]:
        """By member."""

    async def forget_member(self, stream: str, member: str) -> None:
        """Its acknowledgements count no more, until it gives new ones."""

    async def release_held(self, stream: str, *, now: float, sound: Sequence[Sealed] = ()) -> int:
        """Apply what nothing holds back any more; how many. `sound`: copies of what is quarantined."""

    async def skip_held(self, stream: str, dot: Dot) -> bool:
        """Give up a quarantined operation: it counts as applied, and changes nothing. False where it is none."""

    async def held(self, stream: str, *, limit: int, reason: str | None = None) -> list[HeldOperation]:
        """What is received and not applied, or what of it is held for this reason; nothing that was skipped."""

    async def logged(self, stream: str, dots: Sequence[Dot]) -> list[Sealed]:
        """Those of these operations that were applied here and are still in the log, with their values."""

    async def prune(self, stream: str, below: VersionVector, *, keep: int) -> int:
        """Forget superseded operations and tombstones that every member has seen, but the last `keep`; how many.

        A tombstone goes only once all that its key ever saw is below, too: what it deleted may not have come yet.
        """

    # Comparing and copying what keys hold

    async def digests(self, stream: str, ranges: Sequence[KeyRange]) -> Digests:
        """What lives in each range (sync/core/digests.py)."""

    async def split(self, stream: str, within: KeyRange, *, pieces: int) -> list[str]:
        """Keys that cut a range into about equal pieces, at most `pieces`: each the last of its piece. None: it is
        too small."""

    async def page(self, stream: str, within: KeyRange, *, limit: int, max_bytes: int) -> Page:
        """Keys of a range from its start, tombstones too, with states and operations. At least one, if any."""

    async def absorb(self, stream: str, page: Page, within: KeyRange, *, purpose: Purpose, now: float) -> Absorbed:
        """Take what another store's page of a range proves (sync/core/absorbing.py). Idempotent.

        The operations that it brings lie in the log, ahead of their origin's head perhaps; they are sent to nobody
        before the head is there. Raises Malformed or TooEarly.
        """

    async def take_losses(self, stream: str, losses: Sequence[KnownLoss], *, now: float) -> int:
        """Take over another store's conflict records with their values (sync/core/loss_log.py); how many were sound.
        Idempotent."""

    async def base(self, stream: str) -> Base:
        """From where the log would go on, for a store that has every state as of now or later."""

    async def adopt(self, stream: str, base: Base, *, horizon: VersionVector) -> None:
        """Count everything up to `base` as received and applied: all pages of that snapshot were absorbed.

        The log below is not here, so peers behind it need a snapshot; cursors of feeds from before have expired.
        """

    async def remembered(self, stream: str, after: OpId | None, *, limit: int) -> list[tuple[OpId, Done]]:
        """Operation ids that this store would answer as done, in order."""

    async def remember(self, stream: str, done: Sequence[tuple[OpId, Done]], *, now: float) -> None:
        """Take over what another store remembers."""

    async def note(self, stream: str, name: str, value: bytes | None) -> None:
        """Keep a small fact of replication's own, durably; None forgets it."""

    async def notes(self, stream: str) -> dict[str, bytes]:
        """All of them, by name."""

    async def renew_incarnation(self, stream: str, *, reason: str) -> str:
        """Write under a new origin from now on: the old one may have written what this store does not remember."""

    async def stats(self, stream: str) -> StreamStats:
        """Figures, counted now."""

    async def close(self) -> None:
        """Finish what was asked, and let go."""
