"""Whom does a name stand for, as far as we were told, and when do we ask again?

    unknown ──answer──> current ──failure──> stale     the last good answer stays in force, and it is said
                           ^  ──denial───> doubted     "no such name" or "no addresses": stays in force, for now
                           └───answer── empty <──the third denial in a row, or the first answer of all

A resolver that does not answer takes nobody's endpoints away: whether they are well is what probes are for. A denial
does in the end, because a name that is gone has nobody behind it, but one wrong zone file, or one broken resolver that
denies all it does not know, must not empty a region: it has to be said `DENIALS_TO_EMPTY` times in a row.

Asked again when the answer's TTL, bounded by `min_ttl` and `max_ttl`, is nearly over, at a random moment, so that
thousands of nodes do not ask at once; a denial is kept as long as its zone says (RFC 2308), within the same bounds;
after a failure first after `min_ttl`, then doubling up to `max_ttl`.

`now` is steady seconds, `wall` what people read.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["dns", "dns_srv"]
Standing = Literal["unknown", "current", "stale", "doubted", "empty"]

DENIALS_TO_EMPTY = 3

MAX_FOUND = 256
"""Servers that one name may stand for; each is probed. An answer with more is cut, and it is said."""

MAX_WEIGHT = 1000
"""Weights of SRV records reach 65535; scaled to this they are what a configured weight can be."""

EARLIEST_SHARE = 0.8
"""Of a TTL: asked again no earlier than this, and at the latest when it is over."""
LATEST_OF_SHORTEST = 1.2
"""Where the shortest TTL leaves no room before it, the moment lies behind it."""


class LookupFailed(Exception):
    """Nobody answered; the message says what came instead."""


@dataclass(frozen=True, slots=True)
class Name:
    """One endpoint of the configuration that is a name."""

    key: str
    """Its id, `<service>/<region>/<name:port>` or `<service>/<region>/srv:<name>`."""
    kind: Kind
    host: str
    port: int | None
    """With `dns`; SRV records carry it."""


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """One server. Sorted as its name's answer is cut: the preferred first, then by address."""

    priority: int
    host: str
    """IP address."""
    port: int
    name: str
    """The name whose address record it is."""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a resolver said."""

    found: tuple[Found, ...]
    """Empty: it denies."""
    ttl_s: float
    denial: str = ""
    """Why nothing was found: `no such name`, `no addresses`."""
    unanswered: frozenset[tuple[str, int]] = frozenset()
    """(name, 4 or 6): address questions that nobody answered, while others were answered."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long any answer is kept, in seconds."""

    min_ttl_s: float
    max_ttl_s: float


class NameLedger:
    """What is known of one name."""

    def __init__(self, name: Name, *, wall: float) -> None:
        self.name = name
        self.found: tuple[Found, ...] = ()
        self.standing: Standing = "unknown"
        self.reason = "not looked up yet"
        self.since = wall
        """When `standing` became what it is."""
        self.answered_at: float | None = None
        """The last good answer, wall seconds."""
        self.due = float("-inf")
        self._denials = 0
        self._failures = 0

    @property
    def is_known(self) -> bool:
        """Whether anybody has ever said whom it stands for, be it nobody."""
        return self.standing != "unknown"

    def resume(self, found: Sequence[Found], *, wall: float) -> bool:
        """Takes up what an earlier process knew; says whether it did. However old: it is better than nobody."""
        if self.standing != "unknown" or not found:
            return False
        self.found = _bounded(found)[0]
        self._become("stale", "known from before this process started", wall=wall)
        return True

    def answered(self, answer: Answer, bounds: Bounds, *, now: float, wall: float, rng: random.Random) -> bool:
        """Takes an answer in; says whether it stands for others now."""
        self._failures = 0
        self.due = now + _kept_for_s(answer.ttl_s, bounds, rng)
        if not answer.found and not answer.unanswered:
            return self._denied(answer.denial, wall=wall)
        kept = [found for found in self.found if _is_of(found, answer.unanswered)]
        before = self.found
        self.found, cut = _bounded([*answer.found, *kept])
        self._denials = 0
        self.answered_at = wall
        reason = f"{len(self.found)} server{'s' if len(self.found) != 1 else ''}"
        if cut:
            reason += f", {cut} more left out: at most {MAX_FOUND} are used"
        if answer.unanswered:
            reason += f", {len(answer.unanswered)} of the questions not answered"
        self._become("current", reason, wall=wall)
        return self.found != before

    def failed(self, reason: str, bounds: Bounds, *, now: float, wall: float, rng: random.Random) -> None:
        """Nobody answered. What was known stays."""
        wait_s = min(bounds.max_ttl_s, bounds.min_ttl_s * 2.0 ** min(self._failures, 30))
        self.due = now + wait_s * rng.uniform(1.0, LATEST_OF_SHORTEST)
        self._failures += 1
        self._become("stale" if self.found else self.standing, reason, wall=wall)

    def _denied(self, denial: str, *, wall: float) -> bool:
        self._denials += 1
        if self.found and self._denials < DENIALS_TO_EMPTY:
            self._become("doubted", f"{denial}, said {self._denials} of {DENIALS_TO_EMPTY} times", wall=wall)
            return False
        had_any = bool(self.found)
        self.found = ()
        self._become("empty", denial, wall=wall)
        return had_any

    def _become(self, standing: Standing, reason: str, *, wall: float) -> None:
        if standing != self.standing:
            self.since = wall
        self.standing, self.reason = standing, reason


def with_scaled_weights(found: Iterable[Found]) -> list[Found]:
    """Weights as SRV records have them (RFC 2782: 0 is a small chance, not none), as configured ones are: 1 to 1000."""
    every = list(found)
    highest = max((one.weight for one in every), default=0)
    factor = min(1.0, MAX_WEIGHT / highest) if highest else 1.0
    return [replace(one, weight=max(1, round(one.weight * factor))) for one in every]


def _bounded(found: Iterable[Found]) -> tuple[tuple[Found, ...], int]:
    """The ones to use, each place once, in an order of their own, and how many were left out.

    Answers come in another order each time; what is cut must not.
    """
    places: dict[tuple[str, int], Found] = {}
    for one in sorted(found):
        places.setdefault((one.host, one.port), one)
    every = tuple(places.values())
    return every[:MAX_FOUND], max(0, len(every) - MAX_FOUND)


def _is_of(found: Found, questions: frozenset[tuple[str, int]]) -> bool:
    return (found.name, 6 if ":" in found.host else 4) in questions


def _kept_for_s(ttl_s: float, bounds: Bounds, rng: random.Random) -> float:
    ttl_s = min(max(ttl_s, bounds.min_ttl_s), bounds.max_ttl_s)
    earliest = max(bounds.min_ttl_s, ttl_s * EARLIEST_SHARE)
    latest = min(max(ttl_s, bounds.min_ttl_s * LATEST_OF_SHORTEST), bounds.max_ttl_s)
    return rng.uniform(earliest, max(earliest, latest))
