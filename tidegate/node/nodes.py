"""The nodes of the mesh, as they announce themselves: `GET /v1/nodes`, `tidegate nodes`, readiness, metrics.

Each says once a second: region, version, configuration, load. A node that is gone falls silent and is out of the list
after `TTL_S`. One whose configuration differs from this node's is named wherever a person looks: while a change is
rolled out that is expected, afterwards it is a node that was forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.messages import Report
from health.core.rows import SoftRow
from tidegate.node.wall import written

if TYPE_CHECKING:
    from tidegate.node.control import Control

KIND = "node"
EVERY_S = 1.0
TTL_S = 5.0
"""Four messages in a row may be lost."""


class Announced(msgspec.Struct, frozen=True):
    """What a node says of itself."""

    region: str
    version: str
    config: str
    run: str
    started_at: float
    in_flight: int = 0
    connections: int = 0
    state: str = "ready"
    applied_revision: int = 0
    demands: dict[str, float] = {}
    """By region of limited capacity: requests a second that it would send there."""
    address: str = ""
    """Where its peers reach it; empty while it has not reached itself there."""


def announcement(control: Control) -> dict[str, Any]:
    reports = [session.report for session in control.publisher.sessions.values() if session.report]
    said: dict[str, Any] = msgspec.to_builtins(
        Announced(
            region=control.configuration.loaded.config.node.region,
            version=metadata.version("tidegate"),
            config=control.configuration.loaded.shared_digest,
            run=control.run,
            started_at=control.started_at,
            in_flight=sum(report.in_flight for report in reports),
            connections=sum(report.connections for report in reports),
            state="draining" if control.is_draining else "ready" if control.serving() else "starting",
            applied_revision=control.state.revision,
            demands=_demands(reports),
            address=_address(control),
        )
    )
    return said


def _demands(reports: Sequence[Report]) -> dict[str, float]:
    found: dict[str, float] = {}
    for report in reports:
        for region, rate in report.demands.items():
            found[region] = found.get(region, 0.0) + rate
    return {region: round(rate, 1) for region, rate in found.items()}


def _address(control: Control) -> str:
    """Of the configured addresses, the one at which this node itself answers."""
    gossip = control.agreement.gossip
    reached = gossip.reached if gossip is not None else {}
    return next((url for url, node in reached.items() if node == control.plan.node_id), "")


def heard(control: Control) -> list[tuple[SoftRow, Announced]]:
    """All nodes that speak, this one too; what a newer version says otherwise is left out."""
    known = []
    for row in control.state.soft(KIND):
        try:
            known.append((row, msgspec.convert(row.value, Announced)))
        except msgspec.ValidationError:
            continue
    return known


def listed(control: Control) -> dict[str, Any]:
    """The answer of `GET /v1/nodes`."""
    leader, digest = control.leadership.leader, control.configuration.loaded.shared_digest
    return {
        "leader": leader,
        "epoch": control.leadership.epoch,
        "election": control.leadership.reason,
        "state": control.state.frozen() or "ok",
        "nodes": [
            {
                "node": row.key,
                "region": said.region,
                "address": said.address or None,
                "version": said.version,
                "config": said.config,
                "same_config": said.config == digest,
                "state": said.state,
                "leader": row.key == leader,
                "in_flight": said.in_flight,
                "connections": said.connections,
                "started_at": written(said.started_at),
                "age_s": round(row.age_s, 1),
            }
            for row, said in heard(control)
        ],
        "unreached": [{"address": url, "reason": why} for url, why in sorted(control.agreement.unreached.items())],
    }


def disagreements(control: Control) -> list[str]:
    """What makes this node's view differ from that of others, for people."""
    digest = control.configuration.loaded.shared_digest
    others = sorted(row.key for row, said in heard(control) if said.config != digest)
    found = []
    if others:
        found.append(f"another configuration than this node's is in force on {', '.join(others)}")
    if (frozen := control.state.frozen()) is not None:
        found.append(f"decisions are frozen, traffic goes on: {frozen}")
    return found
