"""Is all well, by the nodes' own words? Read from their answers, nothing is asked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chaos.mesh.plan import BACKENDS, REGIONS, SERVICES


def unsettled(statuses: Sequence[Mapping[str, Any]], nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is missing, for people. `GET /v1/status` and `GET /v1/nodes` of each node."""
    missing = []
    for status in statuses:
        node = status["node"]
        if status["state"] != "ready" or status["degraded"]:
            missing.append(f"{node} is {status['state']} {status['degraded']}")
        roles = {child["role"] for child in status["processes"]["children"] if child["ready"]}
        if roles < {"control", "worker", "sync"}:
            missing.append(f"{node} has only {sorted(roles)} ready")
        up = [one for one in status["endpoints"] if one["health"] == "up"]
        if len(up) < len(REGIONS) * len(BACKENDS) * len(SERVICES):
            missing.append(f"{node} sees {len(up)} endpoints up")
        if status["leadership"]["frozen"]:
            missing.append(f"{node} cannot agree: {status['leadership']['frozen']}")
    leaders = {status["leadership"]["leader"] for status in statuses}
    if len(leaders) != 1 or None in leaders:
        missing.append(f"leaders {sorted(map(str, leaders))}")
    missing += [f"somebody hears {len(one['nodes'])} nodes" for one in nodes if len(one["nodes"]) < len(REGIONS)]
    return missing
