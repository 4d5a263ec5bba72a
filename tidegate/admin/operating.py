"""What operators do and see: drains, overrides, the endpoints with their history, the regions, the decisions.

    POST   /v1/{regions,services,endpoints}/{id}/drain   202 begun, 200 as it was, 409 refused with the rule
    GET, DELETE on the same path                          how far it is; undrain, which is a slow start
    POST   /v1/endpoints/{id}/override                    up, down, clear

A node without a majority refuses all but `local` orders, which it keeps and carries out alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from config.units import Refused, parse_duration
from health.core.drain import Scope, Target, TargetKind
from tidegate.node import orders
from tidegate.node.failing_over import written as written_ballot
from tidegate.node.orders import DrainAsked, OrderRefused
from tidegate.node.wall import written

if TYPE_CHECKING:
    from tidegate.node.control import Control

MAX_REASON = 500
LONGEST_OVER_S = 86400.0
DEFAULT_UNDRAIN_S = 30.0
"""A slow start by itself: caches, connection pools and just-in-time compilers are cold."""


class DrainBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST .../drain."""

    over: str = "0s"
    deadline: str | None = None
    reason: str = ""
    force: bool = False
    local: bool = False


class OverrideBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST .../override."""

    state: Literal["up", "down", "clear"]
    reason: str = ""
    force: bool = False
    local: bool = False


async def post_drain(control: Control, target: Target, body: DrainBody, *, author: str) -> tuple[int, dict[str, Any]]:
    """Status and resource. Raises `OrderRefused`."""
    asked = DrainAsked(
        over_s=_duration(body.over, "over"),
        deadline_s=None if body.deadline is None else _duration(body.deadline, "deadline"),
        reason=checked_reason(body.reason),
        force=body.force,
    )
    scope: Scope = "local" if body.local else "all"
    changed = await orders.drain(control, target, asked, scope=scope, author=author)
    return (202 if changed else 200), resource(control, target)


async def delete_drain(
    control: Control, target: Target, *, over: str | None, reason: str, is_local: bool, author: str
) -> tuple[int, dict[str, Any]]:
    """Undrain: this node's own order, and unless `is_local` the one of all nodes. Raises `OrderRefused`."""
    over_s = DEFAULT_UNDRAIN_S if over is None else _duration(over, "over")
    changed = False
    scopes: tuple[Scope, ...] = ("local",) if is_local else ("local", "all")
    for scope in scopes:
        changed |= await orders.undrain(
            control, target, over_s=over_s, reason=checked_reason(reason), scope=scope, author=author
        )
    return (202 if changed else 200), resource(control, target)


async def post_override(
    control: Control, endpoint: str, body: OverrideBody, *, author: str
) -> tuple[int, dict[str, Any]]:
    changed = await orders.override(
        control,
        endpoint,
        body.state,
        reason=checked_reason(body.reason),
        force=body.force,
        scope="local" if body.local else "all",
        author=author,
    )
    return (202 if changed else 200), {"endpoint": endpoint, "override": _override(control, endpoint)}


def resource(control: Control, target: Target) -> dict[str, Any]:
    """How far the drain of a target is; `state: serving` where there is none."""
    operations = control.operations
    in_force = operations.drains.orders()
    scopes: list[Scope] = [scope for scope in ("all", "local") if (scope, target) in in_force]
    if not scopes:
        own = operations.progress("all", target)
        return {
            "target": str(target),
            "state": "serving",
            "share": 1.0,
            "in_flight": own.in_flight,
            "sessions": own.sessions,
            "streams": own.streams,
        }
    scope = min(scopes, key=lambda one: (in_force[one, target].action != "drain", one != "all"))
    order = in_force[scope, target]
    nodes = operations.everywhere(scope, target)
    found = [one.progress for one in nodes]
    is_over = all(one.settled or (one.overdue and one.share <= 0) for one in found)
    share = max(one.share for one in found)
    state = "drained" if is_over else "draining"
    if order.action == "undrain":
        state = "undraining" if share < 1 else "serving"
    return {
        "target": str(target),
        "state": state,
        "share": share,
        "in_flight": sum(one.in_flight for one in found),
        "sessions": _sum(one.sessions for one in found),
        "streams": sum(one.streams for one in found),
        "since": order.at,
        "author": order.author,
        "reason": order.reason,
        "over_s": order.over_s,
        "deadline_at": written(None if order.deadline_s is None else order.at + order.deadline_s),
        "overdue": any(one.overdue and not one.settled for one in found),
        "forced": list(order.forced),
        "local": scope == "local",
        "told_to": order.node,
        "nodes": [{"node": one.node, **msgspec.to_builtins(one.progress)} for one in nodes],
    }


def _sum(counts: Iterable[int | None]) -> int | None:
    """None where nobody counts."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def drained(control: Control) -> list[dict[str, Any]]:
    """Every target that has an order."""
    targets = sorted({target for _, target in control.operations.drains.orders()})
    return [resource(control, target) for target in targets]


def regions(control: Control) -> dict[str, Any]:
    """`GET /v1/regions`."""
    config = control.configuration.loaded.config
    verdicts, rtts = control.prober.regions(), control.prober.region_rtts()
    primary, ballots = control.failing_over.primary(), control.failing_over.ballots()
    found = []
    for region in config.regions:
        verdict = verdicts.get(region.id)
        found.append(
            {
                "region": region.id,
                "name": region.name,
                "location": (at := region.location) and {"latitude": at.latitude, "longitude": at.longitude},
                "role": region.role,
                "leads": region.id == primary,
                "votes": written_ballot(ballots[region.id]),
                "priority": region.priority,
                "active": region.active,
                "compliance_zones": list(region.compliance_zones),
                "reachable_from_here": {
                    "health": verdict.health if verdict else "untested",
                    "healthy": verdict.healthy if verdict else 0,
                    "total": verdict.total if verdict else 0,
                    "reason": verdict.reason if verdict else "no endpoints",
                    "since": verdict.since if verdict else None,
                    "changes": verdict.changes if verdict else 0,
                    "rtt_s": rtts.get(region.id),
                },
                "drain": resource(control, Target("region", region.id)),
            }
        )
    return {"node": control.plan.node_id, "regions": found}


def services(control: Control) -> list[dict[str, Any]]:
    """Each service of the configuration, as reached from here: in all, and in each of its regions."""
    verdicts = control.prober.services()
    found: list[dict[str, Any]] = []
    for service in control.configuration.loaded.config.services:
        verdict = verdicts.get(service.id)
        found.append(
            {
                "service": service.id,
                "health": verdict.health if verdict else "untested",
                "healthy": verdict.healthy if verdict else 0,
                "total": verdict.total if verdict else 0,
                "reason": verdict.reason if verdict else "no endpoints",
                "since": verdict.since if verdict else None,
                "regions": [asdict(one) for one in verdict.regions] if verdict else [],
            }
        )
    return found


def endpoints(control: Control, service: str) -> dict[str, Any]:
    """`GET /v1/services/{id}/endpoints`. Raises `OrderRefused` for a service that there is not."""
    config = control.configuration.loaded.config
    if service not in {one.id for one in config.services}:
        known = ", ".join(one.id for one in config.services[:5])
        raise OrderRefused(404, "no_such_service", f"found no service {service[:200]}, expected {known}")
    verdicts = control.prober.endpoints()
    found = []
    for endpoint in sorted(control.operations.endpoints()):
        verdict = verdicts.get(endpoint)
        if endpoint.split("/", 1)[0] != service:
            continue
        state = control.operator.get(endpoint)
        found.append(
            {
                "endpoint": endpoint,
                "region": endpoint.split("/", 2)[1],
                "health": verdict.health if verdict else "untested",
                "reason": verdict.reason if verdict else "not probed yet",
                "since": verdict.since if verdict else None,
                "rtt_s": verdict.rtt_s if verdict else None,
                "override": _override(control, endpoint),
                "operator": None if state is None else msgspec.to_builtins(state) | {"share": state.share},
                "drain": resource(control, Target("endpoint", endpoint)),
                "history": [
                    {
                        "at": written(result.at),
                        "passed": result.passed,
                        "reason": result.reason,
                        "took_s": result.took_s,
                    }
                    for result in (control.prober.history(endpoint) if verdict else ())
                ],
            }
        )
    return {"service": service, "endpoints": found}


def decisions(control: Control, *, limit: int) -> dict[str, Any]:
    """`GET /v1/decisions`."""
    return {
        "decisions": [
            {**msgspec.to_builtins(one), "epoch": one.epoch, "evidence": one.evidence, "at": written(one.at)}
            for one in control.journal.decisions(limit=limit)
        ]
    }


def target(kind: TargetKind, name: str) -> Target:
    """Raises `OrderRefused`."""
    if kind == "endpoint" and name.count("/") < 2:
        detail = f"found no endpoint {name[:200]}, expected <service>/<region>/<host:port>"
        raise OrderRefused(404, "no_such_endpoint", detail)
    return Target(kind, name)


def _override(control: Control, endpoint: str) -> dict[str, Any] | None:
    found = control.operations.override(endpoint)
    if found is None:
        return None
    scope, override = found
    return {**msgspec.to_builtins(override), "at": written(override.at), "local": scope == "local"}


def _duration(text: str, name: str) -> float:
    try:
        seconds = parse_duration(text)
    except Refused as error:
        raise OrderRefused(400, "malformed_body", f"{name}: {error}") from error
    if seconds > LONGEST_OVER_S:
        raise OrderRefused(400, "malformed_body", f"{name}: found {text}, expected at most 1d")
    return seconds


def checked_reason(text: str) -> str:
    """Raises `OrderRefused`."""
    if len(text) > MAX_REASON or not text.isprintable():
        raise OrderRefused(400, "malformed_body", f"reason: expected at most {MAX_REASON} printable characters")
    return text
