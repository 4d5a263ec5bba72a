"""`GET` and `POST /v1/failover`: who leads, who would follow and what would be lost; and the order to do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from config.models.failover import DisasterRecovery
from health.core.failover import MANUAL, Plan, first_choice
from tidegate.admin.operating import checked_reason
from tidegate.node import drills
from tidegate.node.failing_over import written
from tidegate.node.orders import OrderRefused

if TYPE_CHECKING:
    from tidegate.node.control import Control


class FailoverBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/failover."""

    action: Literal["plan", "act", "failback"]
    to: str | None = None
    """The region to lead; the plan's own choice when None."""
    reason: str = ""
    force: bool = False


async def post_failover(control: Control, body: FailoverBody, *, author: str) -> tuple[int, dict[str, Any]]:
    """Raises `OrderRefused`."""
    reason = checked_reason(body.reason)
    to = body.to
    if body.action == "failback":
        to = first_choice(control.configuration.loaded.config)
        if body.to not in (None, to):
            raise OrderRefused(400, "malformed_body", f"to: found {body.to}, expected {to} or none for a failback")
    if body.action == "plan":
        return 200, shown(control, to)
    await control.failing_over.order(to, reason=reason, force=body.force, author=author)
    return 200, shown(control)


def shown(control: Control, to: str | None = None) -> dict[str, Any]:
    """Who leads, by which votes, and the plan."""
    config = control.configuration.loaded.config
    objectives = config.disaster_recovery or DisasterRecovery()
    found = control.failing_over.plan(to)
    leading = control.failing_over.leading()
    return {
        "primary": found.primary,
        "first_choice": first_choice(config),
        "since": None if leading is None else leading.at,
        "promotion": None if leading is None else msgspec.to_builtins(leading),
        "trigger": (config.failover or MANUAL).trigger,
        "leader": control.leadership.leader,
        "epoch": control.leadership.epoch,
        "asks": control.failing_over.asked,
        "no_promotion": control.leadership.no_promotion,
        "objectives": {"rto_s": objectives.rto, "rpo_s": objectives.rpo},
        "plan": _plan(control, found),
        "drill": drills.shown(control),
        "votes": {region: written(one) for region, one in control.failing_over.ballots().items()},
    }


def _plan(control: Control, found: Plan) -> dict[str, Any]:
    candidate = found.candidate(found.to)
    flying = _in_flight(control, found.primary)
    return {
        "to": found.to,
        "why": found.why,
        "would_lose": None if candidate is None else candidate.would_lose,
        "would_lose_s": None if candidate is None else candidate.would_lose_s,
        "in_flight": flying,
        "dns": control.pointing.shown(found.to or found.primary),
        "candidates": [
            {
                "region": one.region,
                "may": not one.objections and not one.forcible,
                "objections": list(one.objections),
                "with_force": list(one.forcible),
                "would_lose": one.would_lose,
                "would_lose_s": one.would_lose_s,
            }
            for one in found.candidates
        ],
    }


def _in_flight(control: Control, region: str) -> int:
    reports = [session.report for session in control.publisher.sessions.values() if session.report]
    return sum(
        count.in_flight
        for report in reports
        for count in report.endpoints
        if count.endpoint.split("/", 2)[1:2] == [region]
    )
