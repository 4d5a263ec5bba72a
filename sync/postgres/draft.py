"""A batch that was judged, on its way into rows: what the writer knows of the class, and what the batch makes of it.

    Known    what is remembered of the class at one version
    Draft    rows for the statement that commits (sync/postgres/commit.py); ids and positions are taken as it grows

Nothing of a draft counts before it is committed: until then what is known stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sync.cipher import Cipher
from sync.core.aftermath import LossRecord, Place, Tallies, highest_sequences, key_flags, loss_records, superseded
from sync.core.arrivals import Held
from sync.core.digests import key_digest
from sync.core.local_batch import Appended, Head
from sync.core.op_ids import WINDOW, Done, OpId
from sync.core.policy import Loss
from sync.core.versions import EMPTY, KeyState, encode_state
from sync.postgres.commit import Rows


@dataclass(slots=True)
class Known:
    """What the writer remembers of the class at one version."""

    version: int
    origin: str
    clock: int
    position: int
    streams: dict[str, int]
    origins: dict[str, int]
    heads: dict[str, dict[str, Head]]
    """By stream and origin."""
    conflict_bytes: int
    held: set[str]
    """Streams in which something is held."""
    ahead: set[tuple[str, str, int]] = field(default_factory=set)
    """(stream, origin, seq) of rows in the log that a snapshot brought before they were applied: their origin's head is
    not there yet, or they are held."""

    def own_heads(self) -> dict[str, Head]:
        """Copies, for a batch to move on."""
        return {stream: copied(heads.get(self.origin)) for stream, heads in self.heads.items()}


def copied(head: Head | None) -> Head:
    return Head() if head is None else Head(head.seq, head.digest)


@dataclass(slots=True)
class Draft:
    """A batch on its way into rows. Ids and positions are taken as it grows; they count once it is committed."""

    known: Known
    rows: Rows = field(default_factory=Rows)
    tallies: Tallies = field(default_factory=Tallies)
    positions: dict[str, int] = field(default_factory=dict)
    position: int = 0
    new_streams: dict[str, int] = field(default_factory=dict)
    new_origins: dict[str, int] = field(default_factory=dict)
    heads: dict[tuple[str, str], Head] = field(default_factory=dict)
    now: float = 0.0
    is_forgetful: bool = False
    """Whether what is known must be read again once this is committed."""

    def __post_init__(self) -> None:
        self.position = self.known.position

    def stream_id(self, name: str) -> int:
        return _id_of(name, self.known.streams, self.new_streams)

    def origin_id(self, name: str) -> int:
        return _id_of(name, self.known.origins, self.new_origins)

    def put_head(self, stream: str, origin: str, head: Head) -> None:
        self.heads[stream, origin] = head
        self.rows.add("head", [(self.stream_id(stream), self.origin_id(origin), head.seq, head.digest)])

    def append(self, appended: Sequence[Appended], cipher: Cipher) -> None:
        """Log what was applied; it gets its place in the feed."""
        rows = []
        for one in appended:
            operation, sealed = one.operation, one.sealed
            if (operation.stream, operation.origin, operation.seq) in self.known.ahead:
                self.is_forgetful = True
                continue  # a snapshot brought it before the log did
            stored, key_id = cipher.close(sealed.value, operation.stream, operation.origin, operation.seq)
            self.position += 1
            ids = (self.stream_id(operation.stream), self.position, self.origin_id(operation.origin), operation.seq)
            rows.append((*ids, key_id, sealed.head, sealed.salt, stored))
            self.positions[operation.stream] = self.position
            tally = self.tallies.of(operation.stream)
            tally.log_operations += 1
            tally.log_bytes += len(sealed.head) + len(stored)
        self.rows.add("log", rows)

    def put_states(
        self,
        before: Mapping[Place, KeyState],
        changed: Mapping[Place, KeyState],
        appended: Sequence[Appended],
        losses: Sequence[tuple[str, str, Loss]],
    ) -> None:
        """Key states, and what they no longer need."""
        rows = []
        for (stream, key), state in changed.items():
            self.tallies.count(stream, before.get((stream, key), EMPTY), state)
            if not state.versions:
                self.rows.add("gone", [(self.stream_id(stream), key.encode())])
                continue
            live = next((version for version in state.versions if not version.is_deleted), None)
            dot = (None, None) if live is None else (self.origin_id(live.origin), live.seq)
            ids = (self.stream_id(stream), key_flags(state), *dot, key_digest(key, state))
            rows.append((*ids, key.encode(), encode_state(state)))
        self.rows.add("state", rows)
        self.rows.add(
            "dropped",
            (
                (self.stream_id(stream), self.origin_id(origin), seq, key.encode())
                for (stream, key), (origin, seq) in superseded(before, changed, appended, losses)
            ),
        )
        at_ms = int(self.now * 1000)
        self.put_records([(one, at_ms) for one in loss_records(losses)])

    def put_records(self, records: Iterable[tuple[LossRecord, int]]) -> None:
        """Losses by the clock, each with when it was found, in milliseconds."""
        for one, at_ms in records:
            ids = (self.stream_id(one.stream), self.origin_id(one.loser[0]), one.loser[1], one.winner[1])
            self.tallies.of(one.stream)
            self.rows.add("conflict", [(*ids, one.size, at_ms, one.winner[0], one.key.encode(), one.version)])

    def put_done(self, done: Mapping[OpId, Done]) -> None:
        """Operation ids; of each client only those in the window."""
        at_ms = int(self.now * 1000)
        self.rows.add(
            "done",
            (
                (op_id.client, op_id.sequence, self.origin_id(one.origin), one.seq, at_ms, one.status, one.request)
                for op_id, one in done.items()
            ),
        )
        highest = highest_sequences(done)
        self.rows.add("client", highest.items())
        self.rows.add("below", ((name, top - WINDOW) for name, top in highest.items() if top > WINDOW))

    def put_held(self, stream: str, held: Sequence[Held], cipher: Cipher) -> None:
        """What is received and not applied."""
        self.is_forgetful = self.is_forgetful or bool(held)
        rows = []
        for one in held:
            operation, sealed = one.appended.operation, one.appended.sealed
            stored, key_id = cipher.close(sealed.value, stream, operation.origin, operation.seq)
            ids = (self.stream_id(stream), self.origin_id(operation.origin), operation.seq)
            what = (operation.key.encode(), sealed.head, sealed.salt, stored)
            rows.append((*ids, one.visible_at, key_id, one.reason, *what))
        self.rows.add("held", rows)

    def put_applied(self, stream: str, appended: Sequence[Appended]) -> None:
        """What is held no more."""
        self.is_forgetful = self.is_forgetful or bool(appended)
        ids = [(self.origin_id(one.operation.origin), one.operation.seq) for one in appended]
        self.rows.add("applied", ((self.stream_id(stream), *each) for each in ids))

    def finished(self) -> Rows:
        """With ids that are new and figures."""
        self.rows.add("stream", ((id_, name) for name, id_ in self.new_streams.items()))
        self.rows.add("origin", ((id_, name) for name, id_ in self.new_origins.items()))
        self.rows.add_figures({**self.known.streams, **self.new_streams}, self.tallies, self.positions)
        return self.rows


def _id_of(name: str, known: Mapping[str, int], new: dict[str, int]) -> int:
    id_ = known.get(name) or new.get(name)
    if id_ is None:
        id_ = new[name] = max(known.values(), default=0) + len(new) + 1
    return id_
