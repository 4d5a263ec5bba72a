"""What clients did and were told: the record by which everything is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sync.core.dots import Dot, VersionVector
from sync.core.versions import KeyState

Outcome = Literal["ok", "fail", "unknown"]
"""ok: acknowledged; fail: certainly not done; unknown: nobody answered, so it may have been."""


@dataclass
class Asked:
    """One write as a client asked for it, however often and in however many regions."""

    client: str
    sequence: int
    stream: str
    key: str
    value: bytes | None
    """None for a delete."""
    context: VersionVector | None
    outcome: Outcome = "unknown"
    dots: list[Dot] = field(default_factory=list)
    """Acknowledged ones, a region each."""
    wanted: str = "local"
    reached: str = "local"
    holders_when_told: frozenset[str] = frozenset()
    """Regions whose disk held it at the moment the client was told."""


@dataclass(frozen=True)
class Seen:
    """One read of a client that carries a session."""

    client: str
    region: str
    stream: str
    key: str
    state: KeyState
    values: tuple[bytes, ...]
    session: Mapping[str, int]
    """What the session demanded of the region."""
    applied: Mapping[str, int]
    """What the region had applied."""


@dataclass
class History:
    """All of one run."""

    asked: list[Asked] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    excused: set[Dot] = field(default_factory=set)
    """Writes whose only store was destroyed: a disk replaced by an older backup before anybody had them."""

    destroyed: dict[str, set[Dot]] = field(default_factory=dict)
    """By region: what its disk held, and the older backup that replaced it did not."""

    may_forget: bool = False
    """Whether everybody was there at the end, and had the time to forget."""
    may_repair: bool = True
    """Whether anything happened after which a comparison may find keys that are wrong."""

    burnt_records: set[Dot] = field(default_factory=set)
    """Records, on disks that were destroyed, that a write has lost to another: a snapshot does not carry them."""

    methods: dict[str, str] = field(default_factory=dict)
    """Of requests through gateways, by token."""
    answered: dict[str, str] = field(default_factory=dict)
    """By token: the endpoint whose answer its client got."""
    unstuck: list[str] = field(default_factory=list)
    """Sessions that did not stay where they were, without a reason."""
    demanded: dict[str, VersionVector] = field(default_factory=dict)
    """By token: what the session of a page had seen of the data that it shows."""

    def acknowledged(self) -> list[Asked]:
        return [one for one in self.asked if one.outcome == "ok"]
