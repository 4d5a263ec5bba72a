"""Who says what right now? Soft rows with leases, by the clock of the node that hears them.

    said here  --announce--> mine, repeated to others   (sequence grows)
    heard      --hear------> theirs, alive until `ttl_s` after a *new* sequence was heard

No clock of another machine is read. A repeated message does not prolong a life: only a higher sequence of the same
incarnation does, so what a dead node once said cannot be kept alive by others who pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from health.core.rows import SoftRow

MAX_SOFT_ROWS = 10_000
"""A thousand nodes with ten things to say."""
MAX_TTL_S = 3600.0


class Saying(msgspec.Struct, frozen=True):
    """A soft row as it travels."""

    owner: str
    """Node and incarnation: a restarted node starts its sequence again under another name."""
    seq: int
    kind: str
    key: str
    value: dict[str, Any] | None
    """None takes it back."""
    ttl_s: float


class _Heard:
    __slots__ = ("at", "saying")

    def __init__(self, saying: Saying, at: float) -> None:
        self.saying = saying
        self.at = at


class SoftBook:
    """This node's sayings and those it hears."""

    def __init__(self, owner: str, *, clock: Callable[[], float]) -> None:
        self.owner = owner
        self._clock = clock
        self._seq = 0
        self._mine: dict[tuple[str, str], _Heard] = {}
        self._heard: dict[tuple[str, str, str], _Heard] = {}
        self.refused = 0
        """Sayings turned away because the book was full or they made no sense."""

    def announce(self, kind: str, key: str, value: dict[str, Any], *, ttl_s: float) -> None:
        self._seq += 1
        said = Saying(self.owner, self._seq, kind, key, value, min(ttl_s, MAX_TTL_S))
        self._mine[kind, key] = _Heard(said, self._clock())

    def withdraw(self, kind: str, key: str) -> None:
        """Others hear of it once more, as taken back, until the lease of the saying ends."""
        mine = self._mine.get((kind, key))
        if mine is not None and mine.saying.value is not None:
            self._seq += 1
            self._mine[kind, key] = _Heard(
                msgspec.structs.replace(mine.saying, seq=self._seq, value=None), self._clock()
            )

    def mine(self) -> list[Saying]:
        """To be repeated to others."""
        self._drop_dead()
        return [heard.saying for heard in self._mine.values()]

    def hear(self, sayings: Iterable[Saying]) -> None:
        """What others say, first or second hand."""
        now = self._clock()
        for saying in sayings:
            if saying.owner == self.owner:
                continue
            name = (saying.owner, saying.kind, saying.key)
            before = self._heard.get(name)
            if before is not None and saying.seq <= before.saying.seq:
                continue
            if (before is None and len(self._heard) >= MAX_SOFT_ROWS) or not 0 < saying.ttl_s <= MAX_TTL_S:
                self.refused += 1
                continue
            self._heard[name] = _Heard(saying, now)

    def rows(self, kind: str) -> tuple[SoftRow, ...]:
        """One a key: the one heard last, where several speak under one key (a node and its predecessor)."""
        self._drop_dead()
        now = self._clock()
        latest: dict[str, _Heard] = {}
        for heard in (*self._heard.values(), *self._mine.values()):
            said = heard.saying
            if said.kind != kind or said.value is None:
                continue
            other = latest.get(said.key)
            if other is None or heard.at >= other.at:
                latest[said.key] = heard
        return tuple(
            SoftRow(kind, key, heard.saying.value or {}, now - heard.at) for key, heard in sorted(latest.items())
        )

    def _drop_dead(self) -> None:
        now = self._clock()
        for name in [name for name, heard in self._heard.items() if now - heard.at >= heard.saying.ttl_s]:
            del self._heard[name]
        for mine in [name for name, heard in self._mine.items() if now - heard.at >= heard.saying.ttl_s]:
            del self._mine[mine]
