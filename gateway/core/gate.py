"""Which endpoints of a region may serve, and which of them first? The one gate every choice goes through.

    configured ── gate ──> eligible ── tiers ──> the first tier that is not empty serves
                    └────> passed over, each with its reason

The operator's orders come first, then the prober's verdict: what a snapshot knows. What a worker learns between two
snapshots (ejected, breaker, unreachable) is put on top in gateway/core/standing.py, so that no two gates can wait for
each other. Two rules keep it live: an endpoint never probed may serve, and a down
verdict that nobody has confirmed for long admits trial requests.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Final

from config.core.staleness import stale_after_s
from gateway.core import reasons
from gateway.messages import Health, OperatorState

NO_ORDER: Final = OperatorState()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint as a snapshot sees it."""

    id: str
    service: str
    region: str
    host: str
    port: int
    weight: int
    priority: int
    is_backup: bool
    probe_interval_s: float
    health: Health
    health_reason: str
    path: str | None = None
    """A Unix socket, in place of host and port."""
    tls: Any = None
    """How to speak TLS with it (gateway/tls/upstream.py); None for plain. Only compared and handed on here."""
    name: str | None = None
    """The name that it was found under; None where the configuration gives its address."""
    operator: OperatorState = NO_ORDER
    is_gateway: bool = False
    """Another region's gateway, which chooses among the endpoints there (gateway/core/hops.py)."""

    @property
    def share(self) -> float:
        """Its weight, as far as the operator's orders leave it."""
        return self.weight * self.operator.share


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An endpoint that may not serve now."""

    endpoint: Endpoint
    reason: str
    """Slug."""
    detail: str


@dataclass(frozen=True, slots=True)
class Balancing:
    """How a service chooses among the endpoints of a region."""

    algorithm: str = "least_request"
    hash_on: str = ""
    """`ip`, `header:x` or `cookie:x`, lowered; empty where the algorithm hashes nothing."""
    slow_start_s: float = 0.0
    panic_threshold: float = 0.0
    overprovisioning: float = 1.4


DEFAULT_BALANCING: Final = Balancing()


@dataclass(frozen=True, slots=True)
class Tier:
    """Endpoints that are equally preferred."""

    endpoints: tuple[Endpoint, ...]
    sequence: tuple[Endpoint, ...]
    """The endpoints by turn, each as often as its weight says, spread evenly."""
    has_equal_weights: bool
    weights: tuple[float, ...] = ()
    """Of `endpoints`, in their order."""
    cumulative: tuple[float, ...] = ()
    """The weights, summed up."""
    configured: tuple[Endpoint, ...] = ()
    """All that would be in it if all were well, without those of weight 0."""
    total: int = 0
    """Of them, those that no operator keeps out."""
    name: str = ""
    is_backup: bool = False
    trials: tuple[Endpoint, ...] = ()
    """Held back, and to be tried with single requests."""

    def without(self, tried: Collection[str]) -> Tier:
        """The same without some endpoints, for a draw among the rest."""
        kept = [index for index, endpoint in enumerate(self.endpoints) if endpoint.id not in tried]
        if len(kept) == len(self.endpoints):
            return self
        weights = [self.weights[index] for index in kept]
        return make_tier([self.endpoints[index] for index in kept], weights, "", of=self)


@dataclass(frozen=True, slots=True)
class RegionPool:
    """One service's endpoints in one region, after the gate."""

    id: str
    region: str
    tiers: tuple[Tier, ...]
    """By preference: priorities in order, then backups. Empty when no endpoint may serve."""
    trials: tuple[Endpoint, ...]
    """Down by a stale verdict: one request at a time may try."""
    passed_over: tuple[PassedOver, ...]
    balancing: Balancing = DEFAULT_BALANCING
    ignores_verdicts: bool = False
    """Whether this is the pool of a panic."""
    healthy: int = 0
    """Endpoints that may serve."""
    total: int = 0
    """Endpoints that might, if all probes were good: none of weight 0, none that an operator keeps out."""
    panic: RegionPool | None = field(default=None, repr=False)
    """The same with down verdicts ignored (gateway/core/panic.py); None where there are none."""
    newcomers: RegionPool | None = field(default=None, repr=False)
    """The same for sessions that begin: without what is being drained. None where nothing is, or no session sticks."""


def build_pool(
    service: str,
    region: str,
    endpoints: Sequence[Endpoint],
    *,
    verdict_age_s: float,
    balancing: Balancing = DEFAULT_BALANCING,
    in_panic: bool = False,
    has_sessions: bool = False,
) -> RegionPool:
    """Put a region's endpoints through the gate. `verdict_age_s`: since verdicts were last confirmed."""
    tiers: dict[tuple[bool, int], list[Endpoint]] = {}
    configured: dict[tuple[bool, int], list[Endpoint]] = {}
    trials: list[Endpoint] = []
    passed_over: list[PassedOver] = []
    for endpoint in endpoints:
        key = (endpoint.is_backup, endpoint.priority)
        if endpoint.weight > 0:
            configured.setdefault(key, []).append(endpoint)
        over = passes(endpoint, in_panic=in_panic)
        if over is None:
            tiers.setdefault(key, []).append(endpoint)
        elif over.reason == reasons.PROBE_DOWN and verdict_age_s >= stale_after_s(endpoint.probe_interval_s):
            trials.append(endpoint)
        else:
            passed_over.append(over)
    name = f"{service}/{region}/panic" if in_panic else f"{service}/{region}"
    settled = [endpoint for endpoint in endpoints if not endpoint.operator.is_draining]
    return RegionPool(
        id=name,
        region=region,
        tiers=tuple(_tier(tiers[key], configured[key], key, balancing.algorithm) for key in sorted(tiers)),
        trials=tuple(trials),
        passed_over=tuple(passed_over),
        balancing=balancing,
        ignores_verdicts=in_panic,
        healthy=sum(1 for tier in tiers.values() for endpoint in tier if endpoint.health != "down"),
        total=sum(_counted(each) for each in configured.values()),
        panic=None
        if in_panic or all(endpoint.health != "down" for endpoint in endpoints)
        else build_pool(
            service,
            region,
            endpoints,
            verdict_age_s=verdict_age_s,
            balancing=balancing,
            in_panic=True,
            has_sessions=has_sessions,
        ),
        newcomers=None
        if not has_sessions or len(settled) == len(endpoints)
        else replace(
            build_pool(service, region, settled, verdict_age_s=verdict_age_s, balancing=balancing, in_panic=in_panic),
            id=f"{name}/newcomers",
        ),
    )


def passes(endpoint: Endpoint, *, in_panic: bool) -> PassedOver | None:
    """What a snapshot alone knows against an endpoint; None where it may serve."""
    order = endpoint.operator
    if order.disabled:
        return PassedOver(endpoint, reasons.DISABLED, order.reason or "disabled by an operator")
    if order.share <= 0.0:
        return PassedOver(endpoint, reasons.DRAINED, order.reason or "drained by an operator")
    if endpoint.health == "down" and not in_panic:
        return PassedOver(endpoint, reasons.PROBE_DOWN, endpoint.health_reason)
    if endpoint.weight <= 0:
        return PassedOver(endpoint, reasons.WEIGHT_ZERO, "its weight is 0")
    return None


def _counted(endpoints: Sequence[Endpoint]) -> int:
    return sum(1 for each in endpoints if each.operator.share > 0.0 and not each.operator.disabled)


def _tier(endpoints: list[Endpoint], configured: list[Endpoint], key: tuple[bool, int], algorithm: str) -> Tier:
    weights = [endpoint.operator.share if algorithm == "random" else endpoint.share for endpoint in endpoints]
    kind = Tier(
        endpoints=(),
        sequence=(),
        has_equal_weights=True,
        configured=tuple(configured),
        total=_counted(configured),
        name=f"{'backup' if key[0] else 'priority'} {key[1]}",
        is_backup=key[0],
    )
    return make_tier(endpoints, weights, "round_robin", of=kind)


def make_tier(
    endpoints: Sequence[Endpoint], weights: Sequence[float], algorithm: str, *, of: Tier | None = None
) -> Tier:
    """These endpoints with these weights, in the place of tier `of`. Turns are worked out only where they are taken."""
    by_turns = algorithm == "round_robin"
    return Tier(
        endpoints=tuple(endpoints),
        sequence=tuple(endpoints[index] for index in spread(turns_of(weights))) if by_turns and endpoints else (),
        has_equal_weights=len(set(weights)) <= 1,
        weights=tuple(weights),
        cumulative=tuple(accumulate(weights)),
        configured=of.configured if of is not None else (),
        total=of.total if of is not None else len(endpoints),
        name=of.name if of is not None else "",
        is_backup=of is not None and of.is_backup,
    )


def turns_of(weights: Sequence[float]) -> list[int]:
    """Whole numbers in the proportion of `weights`, to the hundredth of the smallest step that people write."""
    if all(weight == int(weight) for weight in weights):
        return [int(weight) for weight in weights]
    return [max(1, round(weight * 100)) for weight in weights]


MAX_SEQUENCE: Final = 1000
"""Bounds the memory of a rotation; weights are rounded to fit, never below one turn."""


def spread(weights: Sequence[int]) -> list[int]:
    """Indexes by smooth weighted round robin: each as often as its weight, never bunched.

    All weights are positive. `[2, 1]` gives `[0, 1, 0]`.
    """
    total = sum(weights)
    divisor = math.gcd(*weights)
    if total // divisor > MAX_SEQUENCE:
        weights = [max(1, round(weight * MAX_SEQUENCE / total)) for weight in weights]
        divisor = math.gcd(*weights)
    turns = [weight // divisor for weight in weights]
    rounds = sum(turns)
    if rounds == len(turns):
        return list(range(rounds))
    credit = [0] * len(turns)
    sequence = []
    for _ in range(rounds):
        for index, turn in enumerate(turns):
            credit[index] += turn
        best = credit.index(max(credit))
        credit[best] -= rounds
        sequence.append(best)
    return sequence
