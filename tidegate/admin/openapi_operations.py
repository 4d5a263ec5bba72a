"""What operators act by, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

import msgspec

from tidegate.admin.failover import FailoverBody
from tidegate.admin.openapi_parts import body, json_answer, operation, parameter, problem_answer
from tidegate.admin.operating import DrainBody, OverrideBody

_IDS = {
    "regions": "a region of the configuration",
    "services": "a service of the configuration",
    "endpoints": "<service>/<region>/<host:port>, slashes as they are or percent-encoded",
}
_NO = {
    "400": problem_answer("a body or query we refuse"),
    "404": problem_answer("there is no such thing"),
    "409": problem_answer("refused: it would empty what residency or a route needs; the detail names the rule"),
    "503": problem_answer("no majority agreed, or the journal cannot be written; nothing is known to have changed"),
}


def operations() -> dict[str, Any]:
    """Paths with their operations."""
    limit = parameter("limit", "query", "at most so many, the latest first", pattern="^[0-9]+$")
    found: dict[str, Any] = {
        "/v1/regions": {
            "get": operation("The regions: reachable from here, drained.", {"200": json_answer("regions")})
        },
        "/v1/services": {
            "get": operation(
                "The services: up, degraded or down as reached from here, in all and by region.",
                {"200": json_answer("services")},
            )
        },
        "/v1/drains": {"get": operation("Everything that has a drain order.", {"200": json_answer("drains")})},
        "/v1/events": {
            "get": operation(
                "What changes, as server-sent events: state, then region, endpoint, drain, decision, leader.",
                {
                    "200": {
                        "description": "a stream",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    },
                    "503": problem_answer("too many readers"),
                },
            )
        },
        "/v1/decisions": {
            "get": operation(
                "What was decided, by whom, why, and what came of it.",
                {"200": json_answer("decisions"), "400": _NO["400"]},
            )
            | {"parameters": [limit]}
        },
        "/v1/failover": {
            "get": operation("Who leads, by which votes, and who would follow.", {"200": json_answer("failover")})
            | {"parameters": [parameter("to", "query", "plan for this region")]},
            "post": operation(
                "Plan (what would happen and be lost), act (let a region lead) or failback (the first choice).",
                {"200": json_answer("who leads, and the plan"), **_NO},
            )
            | body("Failover"),
        },
        "/v1/services/{id}/endpoints": {
            "get": operation(
                "A service's endpoints, with the latest probes of each.",
                {"200": json_answer("endpoints"), "404": _NO["404"]},
            )
            | {"parameters": [parameter("id", "path", _IDS["services"])]}
        },
        "/v1/endpoints/{id}/override": {
            "post": operation(
                "Say that an endpoint is up or down, whatever the probes say; or take that back.",
                {"200": json_answer("as it was"), "202": json_answer("done"), **_NO},
            )
            | body("Override")
            | {"parameters": [parameter("id", "path", _IDS["endpoints"])]}
        },
    }
    for plural, what in _IDS.items():
        found[f"/v1/{plural}/{{id}}/drain"] = _drain(parameter("id", "path", what))
    return found


def _drain(name: dict[str, Any]) -> dict[str, Any]:
    over = parameter("over", "query", "how long its share takes to come back, such as 30s")
    reason = parameter("reason", "query", "why")
    local = parameter("local", "query", "only what was ordered for this node alone", enum=["true", "false"])
    shown = json_answer("how far it is", "Drain")
    return {
        "get": operation("How far a drain is.", {"200": shown, "404": _NO["404"]}) | {"parameters": [name]},
        "post": operation("Drain: new sessions stop, the share falls.", {"200": shown, "202": shown, **_NO})
        | body("DrainOrder", required=False)
        | {"parameters": [name]},
        "delete": operation("Undrain: the share rises again.", {"200": shown, "202": shown, **_NO})
        | {"parameters": [name, over, reason, local]},
    }


_DRAIN: dict[str, Any] = {
    "type": "object",
    "required": ["target", "state", "share", "in_flight", "sessions", "streams"],
    "properties": {
        "target": {"type": "string"},
        "state": {"enum": ["draining", "drained", "undraining", "serving"]},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "in_flight": {"type": "integer"},
        "sessions": {
            "type": ["integer", "null"],
            "description": "that stick there, as far as these nodes have seen; null where sessions do not stick",
        },
        "streams": {"type": "integer"},
        "since": {"type": "number", "description": "Unix seconds"},
        "author": {"type": "string"},
        "reason": {"type": "string"},
        "local": {"type": "boolean", "description": "ordered for this node alone, kept on its disk"},
        "nodes": {"type": "array", "items": {"type": "object"}},
    },
}
SCHEMAS: dict[str, Any] = {
    "DrainOrder": msgspec.json.schema_components([DrainBody])[1]["DrainBody"],
    "Override": msgspec.json.schema_components([OverrideBody])[1]["OverrideBody"],
    "Failover": msgspec.json.schema_components([FailoverBody])[1]["FailoverBody"],
    "Drain": _DRAIN,
}
