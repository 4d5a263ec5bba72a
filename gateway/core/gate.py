"""Which endpoints of a region may serve, and which of them first? The one gate every choice goes through.

    configured ── gate ──> eligible ── tiers ──> the first tier that is not empty serves
                    └────> passed over, each with its reason

Today the gate knows the prober's verdict; whatever else may close it (operator, outlier, breaker) closes it here, so
that no two gates can wait for each other. Two rules keep it live: an endpoint never probed may serve, and a down
verdict that nobody has confirmed for ten intervals admits trial requests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.core import reasons
from gateway.messages import Health

STALE_AFTER_INTERVALS: Final = 10
"""Fewer, and a slow control process would look dead; more, and a recovered endpoint would wait for nobody."""


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
    tls: Any = None
    """How to speak TLS with it (gateway/tls/upstream.py); None for plain. Only compared and handed on here."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An endpoint that may not serve now."""

    endpoint: Endpoint
    reason: str
    """Slug."""
    detail: str


@dataclass(frozen=True, slots=True)
class Tier:
    """Endpoints that are equally preferred."""

    endpoints: tuple[Endpoint, ...]
    sequence: tuple[Endpoint, ...]
    """The endpoints by turn, each as often as its weight says, spread evenly."""
    has_equal_weights: bool


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


def build_pool(service: str, region: str, endpoints: Sequence[Endpoint], *, verdict_age_s: float) -> RegionPool:
    """Put a region's endpoints through the gate. `verdict_age_s`: since verdicts were last confirmed."""
    tiers: dict[tuple[bool, int], list[Endpoint]] = {}
    trials: list[Endpoint] = []
    passed_over: list[PassedOver] = []
    for endpoint in endpoints:
        if endpoint.health == "down":
            if verdict_age_s >= STALE_AFTER_INTERVALS * endpoint.probe_interval_s:
                trials.append(endpoint)
            else:
                passed_over.append(PassedOver(endpoint, reasons.PROBE_DOWN, endpoint.health_reason))
        elif endpoint.weight > 0:
            tiers.setdefault((endpoint.is_backup, endpoint.priority), []).append(endpoint)
        else:
            passed_over.append(PassedOver(endpoint, "weight_zero", "its weight is 0"))
    return RegionPool(
        id=f"{service}/{region}",
        region=region,
        tiers=tuple(_tier(tiers[key]) for key in sorted(tiers)),
        trials=tuple(trials),
        passed_over=tuple(passed_over),
    )


def _tier(endpoints: list[Endpoint]) -> Tier:
    weights = [endpoint.weight for endpoint in endpoints]
    return Tier(
        endpoints=tuple(endpoints),
        sequence=tuple(endpoints[index] for index in spread(weights)),
        has_equal_weights=len(set(weights)) == 1,
    )


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
