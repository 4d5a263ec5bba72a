"""Everything that clients did and were told in one run: the record that all checkers judge by.

Times are monotonic seconds of the machine, the same in every process on it. "Not known" is None, never a guess: a write
that nobody answered may have been done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

VersionVector = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request through a gateway, sent once."""

    route: str
    region: str
    """Whose gateway was asked."""
    method: str
    token: str
    """Occurs once; the backend's answer repeats it."""
    began: float
    ended: float
    status: int | None
    """None: no answer came."""
    backend: str | None = None
    echoed: str | None = None
    reason: str | None = None
    """Of the problem document, or what went wrong where no answer came."""
    request_id: str = ""
    """By which the mesh knows it: its answer says so."""
    client: str = ""
    """Whose session it belongs to, where it has one."""

    @property
    def is_served(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_idempotent(self) -> bool:
        return self.method != "POST"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of a data operation."""

    region: str
    began: float
    ended: float
    status: int | None
    reason: str | None = None


Discipline = Literal["chain", "heap", "race"]
"""How a key is written, which says what must be left of a write.

    chain   by one client, each write naming the context of the one before: the last one stands
    heap    by anyone, without a context, under vector_clock: every one stands beside the others
    race    by anyone, without a context, under last_write_wins: the last stands, concurrent ones are recorded losers
"""


@dataclass(slots=True)
class Operation:
    """One write as its client means it, however often and wherever it is sent."""

    op_id: str
    collection: str
    key: str
    value: str | None
    """None: a delete."""
    discipline: Discipline
    place: int = 0
    """In its chain, from 1."""
    attempts: list[Attempt] = field(default_factory=list)
    acknowledged_at: float | None = None
    refused: str | None = None
    """Why it was certainly not done, where that is certain."""
    vector: VersionVector = field(default_factory=dict)
    """What its answer says its store had seen of the key, itself included."""

    @property
    def began(self) -> float:
        return self.attempts[0].began if self.attempts else float("inf")


@dataclass(frozen=True, slots=True)
class Seen:
    """One read of a chain by its own client, with its session."""

    client: str
    region: str
    collection: str
    key: str
    began: float
    status: int | None
    value: str | None
    expected_place: int
    """The last place in the chain that the client had an acknowledgement for, or had read, when it asked."""
    was_deleted: bool = False
    """Whether that place is a delete."""
    beside: tuple[str, ...] = ()
    """All values, where the region told several."""


@dataclass(frozen=True, slots=True)
class Echo:
    """One message on a WebSocket, and what came back."""

    region: str
    socket: str
    sent: str
    got: str | None
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Sight:
    """How long after its acknowledgement in one region a write was first read in another."""

    source: str
    target: str
    acknowledged_at: float
    took_s: float | None
    """None: not before the run was over."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One look at one node: whether it leads at this moment, by its own word."""

    asked: float
    at: float
    """When it had answered: what it says was so between the two."""
    node: str
    epoch: int | None
    """In which it leads; None: it does not."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened, for the timeline."""

    at: float
    text: str
    kind: Literal["fault", "healed", "decision"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One line of a backend's log: what was executed."""

    at: float
    backend: str
    region: str
    node: str | None
    """That sent it."""
    method: str
    path: str
    token: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """A span in which a backend could not serve: its link was broken, or it was drained."""

    backend: str
    since: float
    until: float
    seen_from: str | None = None
    """The region that could not reach it; None: none could."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One look at one node that did not say of a backend that it is up."""

    at: float
    region: str
    """The node's."""
    backend: str


@dataclass(frozen=True, slots=True)
class Survival:
    """A write whose store was killed the moment that it was acknowledged, and what was there afterwards."""

    key: str
    acknowledged: str
    region: str
    found: str | None
    """None: nothing."""


@dataclass(frozen=True, slots=True)
class Churn:
    """What one store's log holds after more was written than it keeps, while a region was dead."""

    region: str
    written: int
    rows: int


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a node's audit log."""

    node: str
    kind: str
    request_id: str
    destination: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What a key holds at the end, in one region."""

    values: tuple[str | None, ...]
    """None: a deleted version that stands."""
    versions: tuple[str, ...]
    vector: VersionVector = field(default_factory=dict)
    """What the store has seen of it; only where that was asked for."""


@dataclass
class History:
    """One run."""

    exchanges: list[Exchange] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    reads: list[Seen] = field(default_factory=list)
    glances: list[Seen] = field(default_factory=list)
    """Of somebody who has no session, and reads in one region again and again."""
    echoes: list[Echo] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    audit_faults: list[str] = field(default_factory=list)
    """Where an audit log is not as it was written."""
    final: dict[str, dict[str, dict[str, Kept]]] = field(default_factory=dict)
    """By region, collection and key."""
    losers: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """By region and key: values of `race` writes that the conflict log names."""
    canaries_found: list[str] = field(default_factory=list)
    """Files of the forbidden region with bytes that may not be there."""
    searched_files: int = 0
    unread: list[str] = field(default_factory=list)
    """What a region did not answer in the final read, tried several times."""

    def acknowledged(self) -> Iterator[Operation]:
        return (one for one in self.operations if one.acknowledged_at is not None)

    def began(self) -> float:
        return min((one.began for one in self.exchanges), default=0.0)

    def decide(self, at: float, text: str) -> None:
        """A decision of the mesh, for the timeline."""
        self.notes.append(Note(at, text, "decision"))

    def fault_span(self) -> tuple[float, float]:
        """From the first fault to the last healing; empty at the end where there was none."""
        faults = [note.at for note in self.notes if note.kind == "fault"]
        healed = [note.at for note in self.notes if note.kind == "healed"]
        return (min(faults), max(healed)) if faults and healed else (0.0, 0.0)


def within(exchanges: Sequence[Exchange], span: tuple[float, float]) -> list[Exchange]:
    """Those that began in the span."""
    return [one for one in exchanges if span[0] <= one.began < span[1]]
