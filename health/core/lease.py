"""Does this node lead, in which epoch, and until when? One machine for every kind of acceptor.

    watching --value unchanged for its whole lease (or released, or none)--> claiming --chosen--> fencing --> leading
       ^                                                                        | lost, unknown                | renewed
       +------------------------------------------------------------------------+---- deadline, stop ----------+

The lease is one agreed register: holder, epoch, beat (grows with every renewal). No clock is compared with another:
- the holder's deadline counts from *before* it asked, on its own boot-time clock: asked + lease * (1 - drift) - margin;
- a contender claims only after it has seen the very same beat for lease * (1 + drift) on its own boot-time clock,
  counted from after it was told; and the claim is a compare-and-set on that beat.
So when a claim is chosen, the last renewal was sent before the contender began to wait, and its holder has stopped.
Every claim takes a new epoch, one above the highest ever agreed on or seen; whoever lost or doubts a lease claims anew.
`epoch(now)` is a function of `now`: a process that was paused finds its lease over before it does anything.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from health.core.rows import Conflict, StateError

REGISTER = "lease"

DRIFT = 0.01
"""Error of a clock's rate that is borne: a hundred times what a healthy quartz does."""
MARGIN_S = 0.05
"""From the last look at the clock to the end of what it allowed: a callback of the event loop."""
LONGEST_TTL_S = 3600.0


class LeaseValue(msgspec.Struct, frozen=True):
    """What the register holds."""

    holder: str
    """One run of one node."""
    node: str
    epoch: int
    beat: int
    ttl_s: float
    released: bool = False


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    ttl_s: float
    renew_s: float
    poll_s: float = 1.0
    drift: float = DRIFT
    margin_s: float = MARGIN_S


@dataclass(frozen=True, slots=True)
class Look:
    """Read the register (any acceptor's newest value will do)."""


@dataclass(frozen=True, slots=True)
class Put:
    """Change the register; answer with `answered(what, asked_at, ...)`."""

    what: Literal["claim", "renew", "release"]
    change: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Fence:
    """Make the stores refuse older leaders; answer with `fenced`."""

    epoch: int


Command = Look | Put | Fence


@dataclass(slots=True)
class _Holding:
    epoch: int
    until: float
    renew_at: float
    is_fenced: bool = False


class Lease:
    """One node's view of the lease. One command at a time is under way; each is answered, if only by `failed`."""

    def __init__(self, *, run: str, node: str, settings: LeaseSettings, rng: random.Random, now: float) -> None:
        if settings.renew_s * 2 > settings.ttl_s * (1 - settings.drift) - settings.margin_s:
            raise ValueError(f"found renewals every {settings.renew_s} s, expected two within {settings.ttl_s} s")
        self._run = run
        self._node = node
        self._settings = settings
        self._rng = rng
        self._holding: _Holding | None = None
        self._seen: LeaseValue | None = None
        self._seen_at: float | None = None
        self._floor = 0
        self._beat = 0
        """The highest that was proposed."""
        self._under_way = False
        self._act_at = now
        self._is_stopping = False
        self.abstains: str | None = None
        """Why this node does not try to lead; None when it does."""
        self.reason = "has not asked yet"

    def epoch(self, now: float) -> int | None:
        """The epoch to act in at this moment; None when not to act."""
        holding = self._holding
        return holding.epoch if holding is not None and holding.is_fenced and now < holding.until else None

    def valid_until(self, now: float) -> float | None:
        """When acting ends unless it is renewed; None when not to act."""
        return self._holding.until if self.epoch(now) is not None and self._holding is not None else None

    @property
    def seen(self) -> LeaseValue | None:
        """The newest value of the register that was seen."""
        return self._seen

    def raise_floor(self, epoch: int) -> None:
        """An epoch that was seen somewhere: this node's next one will be above it, whatever acceptors forgot."""
        self._floor = max(self._floor, epoch)

    def next_deadline(self) -> float:
        """When to `wake` it, if nothing is heard before."""
        act_at = math.inf if self._under_way else self._act_at
        return act_at if self._holding is None else min(act_at, self._holding.until)

    def wake(self, now: float) -> Command | None:
        """Time passed."""
        holding = self._holding
        if holding is not None and now >= holding.until:
            self._lose("the lease ran out before it was renewed", now)
            holding = None
        if self._under_way or now < self._act_at or self._is_stopping:
            return None
        self._under_way = True
        if holding is not None:
            if not holding.is_fenced:
                return Fence(holding.epoch)
            return Put("renew", self._renewal(holding.epoch))
        if self._may_claim(now):
            return Put("claim", self._claim(self._seen))
        return Look()

    def stop(self, now: float) -> Command | None:
        """Give the lease back, if it is held, so that nobody has to wait for it."""
        self._is_stopping = True
        holding = self._holding
        self._lose("this node is stopping", now)
        if holding is None or now >= holding.until:
            return None
        return Put("release", self._release(holding.epoch))

    # Answers

    def observed(self, value: Any, *, now: float) -> None:
        """What some acceptor has; a value that makes no sense is not waited for, and not overwritten."""
        self._under_way = False
        self._act_at = now + self._settings.poll_s
        known = read(value)
        if isinstance(known, str):
            self.reason = known
            self._seen_at = None
            return
        self._see(known, now)
        if self._may_claim(now):
            self._act_at = now
        elif self._seen is not None and self._seen_at is not None:
            # Neighbours that wait for the same moment would meet in it: each adds a little of its own.
            waits_until = self._seen_at + self._wait_s(self._seen)
            self._act_at = min(self._act_at, waits_until + self._rng.uniform(0.0, self._settings.poll_s / 2))
            self._act_at = max(self._act_at, now + self._settings.poll_s / 20)

    def answered(self, what: str, value: Any, *, asked_at: float, now: float) -> None:
        """A Put was chosen; `value` is what the register holds now."""
        self._under_way = False
        known = read(value)
        if not isinstance(known, LeaseValue) or what == "release":
            return
        if self._holding is not None and now >= self._holding.until:
            # It had stopped acting while it waited for this answer: what has ended once does not go on.
            self._lose("the lease ran out before it was renewed", now)
        self._see(known, now)
        settings = self._settings
        until = asked_at + settings.ttl_s * (1 - settings.drift) - settings.margin_s
        if known.holder != self._run or known.released:
            self._lose("another node claimed the lease", now)
        elif what == "claim":
            self._holding = _Holding(known.epoch, until, asked_at + settings.renew_s)
            self._act_at = now
            self.reason = f"elected in epoch {known.epoch}"
        elif self._holding is not None and known.epoch == self._holding.epoch:
            self._holding.until = until
            self._act_at = self._holding.renew_at = asked_at + settings.renew_s
        if self._holding is not None and now >= self._holding.until:
            self._lose("the answer came after the lease had run out", now)

    def fenced(self, epoch: int, *, now: float) -> None:
        """The stores refuse older leaders: acting may begin."""
        self._under_way = False
        if self._holding is not None and self._holding.epoch == epoch:
            self._holding.is_fenced = True
            self._act_at = self._holding.renew_at

    def failed(self, what: str, error: StateError | None, *, now: float) -> None:
        """A command came to nothing, or nobody knows. Error None: no answer in time."""
        self._under_way = False
        settings = self._settings
        if isinstance(error, Conflict) and what != "look":
            self._lose("another node was first", now)
            self._seen = self._seen_at = None  # whatever is there now is waited for in full
            self._act_at = now + self._rng.uniform(0, settings.poll_s / 2)
            return
        self.reason = (
            f"could not {what}: {error or 'no majority answered in time'}" if not self._holding else self.reason
        )
        # A few tries fit into what is left of a lease; others who try too are not met again at once.
        self._act_at = now + self._rng.uniform(0.2, 1.0) * min(settings.poll_s, settings.renew_s / 3)
        if what in {"claim", "fence"} and self._holding is not None and not self._holding.is_fenced:
            self._lose(f"could not {what}: {error or 'no majority answered in time'}", now)

    # What is true

    def _see(self, value: LeaseValue | None, now: float) -> None:
        if value is not None:
            self._floor = max(self._floor, value.epoch)
        is_new = _order(value) > _order(self._seen)
        if self._seen_at is None or is_new:
            self._seen_at = now
            self._seen = value if value is not None else self._seen
        if self._holding is None and value is not None and not self._is_stopping:
            self.reason = f"{value.node} leads in epoch {value.epoch}" if not value.released else "nobody leads"

    def _wait_s(self, value: LeaseValue) -> float:
        return max(value.ttl_s, self._settings.ttl_s) * (1 + self._settings.drift)

    def _may_claim(self, now: float) -> bool:
        if self._seen_at is None or self.abstains is not None:
            return False
        value = self._seen
        if value is None or value.released or value.holder == self._run:
            return True
        return now - self._seen_at >= self._wait_s(value)

    def _lose(self, reason: str, now: float) -> None:
        if self._holding is not None:
            self._holding = None
            self._act_at = now
        self.reason = reason

    # Changes of the register, each a compare-and-set

    def _claim(self, expected: LeaseValue | None) -> Callable[[Any], Any]:
        floor = self._floor
        run, node, ttl_s = self._run, self._node, self._settings.ttl_s

        def change(current: Any) -> Any:
            known = read(current)
            if isinstance(known, str):
                raise Conflict(known)
            if _order(known) != _order(expected):
                raise Conflict("found a newer lease, expected the one that was waited for")
            epoch = max(floor, known.epoch if known else 0) + 1
            return msgspec.to_builtins(LeaseValue(run, node, epoch, self._next_beat(known), ttl_s))

        return change

    def _renewal(self, epoch: int) -> Callable[[Any], Any]:
        return self._own(epoch, released=False)

    def _release(self, epoch: int) -> Callable[[Any], Any]:
        return self._own(epoch, released=True)

    def _next_beat(self, known: LeaseValue | None) -> int:
        """Never the same for two attempts: a renewal of which nobody knows whether it came through may have been seen
        by a contender, who waits since; the next attempt must not look like it (found by simulation, seed 12)."""
        self._beat = max(self._beat, known.beat if known else 0) + 1
        return self._beat

    def _own(self, epoch: int, *, released: bool) -> Callable[[Any], Any]:
        run, ttl_s = self._run, self._settings.ttl_s

        def change(current: Any) -> Any:
            known = read(current)
            if not isinstance(known, LeaseValue) or (known.holder, known.epoch) != (run, epoch) or known.released:
                raise Conflict("found another holder or epoch, expected this node's own")
            return msgspec.to_builtins(
                msgspec.structs.replace(known, beat=self._next_beat(known), ttl_s=ttl_s, released=released)
            )

        return change


def _order(value: LeaseValue | None) -> tuple[int, int, str]:
    """The holder too: two contenders may have proposed the same numbers."""
    return (value.epoch, value.beat, value.holder) if value is not None else (0, 0, "")


def read(value: Any) -> LeaseValue | str | None:
    """The register's value; a sentence when it is not understood: then nobody here claims."""
    if value is None:
        return None
    try:
        known = msgspec.convert(value, LeaseValue)
    except msgspec.ValidationError as error:
        return f"found a lease that is not understood: {error}"
    if not 0 < known.ttl_s <= LONGEST_TTL_S or known.epoch < 1 or known.beat < 1:
        return f"found a lease of {known.ttl_s} s, epoch {known.epoch}, beat {known.beat}, expected sane ones"
    return known
