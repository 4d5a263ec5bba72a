"""How much of its traffic may what is drained still get, now?

    drain order   ──share falls from `start` to 0 over `over_s`──>  0, and when nothing flies any more: drained
    undrain order ──share rises from `start` to 1 over `over_s`──>  1, and the order is over

New sessions stop at once, plain requests go by the share, what is in flight finishes. An order is a row that all nodes
see, so its time is a date. Each node anchors it once, when it first sees it, by its wall clock, and counts on by its
monotonic clock: a restart goes on where the drain was, clocks that differ shift a ramp by their difference, and a
clock that jumps moves nothing that is under way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

Scope = Literal["all", "local"]
"""Agreed on by all nodes, or decided for this one alone."""
TargetKind = Literal["region", "service", "endpoint"]
STEPS = 20
"""A short ramp has so many; a long one has a step a second."""
LONGEST_STEP_S = 1.0
SHORTEST_STEP_S = 0.1
"""Each step is one publication."""


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What is drained."""

    kind: TargetKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"

    def covers(self, endpoint: str) -> bool:
        """`endpoint` is an id, `<service>/<region>/<host:port>`."""
        if self.kind == "endpoint":
            return endpoint == self.id
        service, region, _ = endpoint.split("/", 2)
        return (region if self.kind == "region" else service) == self.id


def target_of(key: str) -> Target:
    """The reverse of `str`. Raises ValueError."""
    kind, slash, name = key.partition("/")
    if kind not in ("region", "service", "endpoint") or not slash or not name:
        raise ValueError(f"found {key[:80]!r}, expected region/<id>, service/<id> or endpoint/<id>")
    if kind == "endpoint" and name.count("/") < 2:
        raise ValueError(f"found the endpoint {name[:80]!r}, expected <service>/<region>/<host:port>")
    return Target(kind, name)  # type: ignore[arg-type]  # one of the three, as just checked


class Order(msgspec.Struct, frozen=True):
    """One person's order, as its row holds it."""

    action: Literal["drain", "undrain"]
    over_s: float
    at: float
    """Wall seconds, of the node that took it."""
    author: str
    reason: str
    start: float = 1.0
    """Share from which it moves: an undrain that comes early starts where the drain has got to, and the reverse."""
    deadline_s: float | None = None
    """So long after `at`, what still flies is waited for no longer."""
    forced: tuple[str, ...] = ()
    """The sentences that would have refused it, had it not been forced."""
    node: str = ""
    """That took it."""

    def __post_init__(self) -> None:
        numbers = (self.over_s, self.at, self.start, 0.0 if self.deadline_s is None else self.deadline_s)
        if not all(map(math.isfinite, numbers)) or self.over_s < 0 or not 0 <= self.start <= 1:
            raise ValueError("found a time or share that is none, expected finite seconds and a share of 0 to 1")


@dataclass(frozen=True, slots=True)
class Standing:
    """What all orders together leave one endpoint."""

    share: float
    is_draining: bool
    reason: str
    is_overdue: bool = False
    """The deadline of one of the drains has passed."""


@dataclass(slots=True)
class _Running:
    target: Target
    version: int
    order: Order
    began: float
    """Monotonic seconds; may lie long before this process."""


class Drains:
    """The orders that are in force, and how far each is."""

    def __init__(self) -> None:
        self._running: dict[tuple[Scope, Target], _Running] = {}

    def adopt(self, scope: Scope, orders: Iterable[tuple[str, int, Order]], *, now: float, wall: float) -> list[str]:
        """All orders of a scope, as (key, version, order); returns a sentence for each key that is none.

        An order known already, by key and version, goes on as it was.
        """
        found: dict[tuple[Scope, Target], _Running] = {}
        troubles = []
        for key, version, order in orders:
            try:
                target = target_of(key)
            except ValueError as error:
                troubles.append(str(error))
                continue
            known = self._running.get((scope, target))
            if known is not None and known.version == version:
                found[scope, target] = known
            else:
                found[scope, target] = _Running(target, version, order, now - max(0.0, wall - order.at))
        others = {key: running for key, running in self._running.items() if key[0] != scope}
        self._running = {**others, **found}
        return troubles

    def __len__(self) -> int:
        return len(self._running)

    def orders(self) -> Mapping[tuple[Scope, Target], Order]:
        return {key: running.order for key, running in self._running.items()}

    def version(self, scope: Scope, target: Target) -> int | None:
        running = self._running.get((scope, target))
        return None if running is None else running.version

    def share(self, scope: Scope, target: Target, *, now: float) -> float:
        """1 where there is no order."""
        running = self._running.get((scope, target))
        return 1.0 if running is None else _share(running, now=now)

    def strictest(self, target: Target, *, now: float) -> float:
        """The share that the orders for exactly this target leave it."""
        return min(self.share("all", target, now=now), self.share("local", target, now=now))

    def standing(self, endpoint: str, *, now: float) -> Standing | None:
        """None where no order takes anything from it."""
        share, is_draining, reason, is_overdue = 1.0, False, "", False
        for (scope, target), running in self._running.items():
            if not target.covers(endpoint):
                continue
            own = _share(running, now=now)
            drains = running.order.action == "drain"
            is_draining = is_draining or drains
            is_overdue = is_overdue or (drains and self.is_overdue(scope, target, now=now))
            if own < share or (drains and not reason):
                share, reason = min(share, own), _sentence(scope, target, running.order)
        return None if share >= 1.0 and not is_draining else Standing(share, is_draining, reason, is_overdue)

    def is_overdue(self, scope: Scope, target: Target, *, now: float) -> bool:
        """Its deadline has passed."""
        running = self._running.get((scope, target))
        deadline_s = None if running is None else running.order.deadline_s
        return running is not None and deadline_s is not None and now - running.began >= deadline_s

    def over(self, *, now: float, for_s: float = 0.0) -> list[tuple[Scope, Target, int]]:
        """Undrain orders that have been at 1 for so long, with their versions: their rows may go."""
        return [
            (scope, target, running.version)
            for (scope, target), running in self._running.items()
            if running.order.action == "undrain" and now - running.began >= running.order.over_s + for_s
        ]

    def next_step(self, *, now: float) -> float | None:
        """When a share changes next; None when none will."""
        steps = [
            running.began + (math.floor((now - running.began) / step) + 1) * step
            for running in self._running.values()
            if now - running.began < running.order.over_s
            for step in [_step_s(running.order)]
        ]
        return min(steps, default=None)


def _step_s(order: Order) -> float:
    return min(LONGEST_STEP_S, max(SHORTEST_STEP_S, order.over_s / STEPS))


def _share(running: _Running, *, now: float) -> float:
    """Constant from step to step, so that nothing is published in between."""
    order, elapsed = running.order, max(0.0, now - running.began)
    goal = 0.0 if order.action == "drain" else 1.0
    if elapsed >= order.over_s:
        return goal
    step = _step_s(order)
    # The first step is taken at once: who orders a drain sees that it has begun.
    done = min(1.0, (math.floor(elapsed / step) + 1) * step / order.over_s)
    return round(order.start + (goal - order.start) * done, 4)


def _sentence(scope: Scope, target: Target, order: Order) -> str:
    doing = "is drained" if order.action == "drain" else "comes back"
    where = " on this node only" if scope == "local" else ""
    return f"{target.kind} {target.id} {doing}{where} by {order.author}" + (f": {order.reason}" if order.reason else "")
