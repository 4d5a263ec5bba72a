"""The OpenAPI 3.1 document of what the admin API offers; a test compares it with the routes that exist."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from tidegate.admin import openapi_data
from tidegate.admin.openapi_operations import SCHEMAS, operations
from tidegate.admin.openapi_parts import json_answer as _json
from tidegate.admin.openapi_parts import operation as _operation
from tidegate.admin.openapi_parts import problem_answer as _problem
from tidegate.admin.openapi_parts import text_answer as _text

_JSON = "application/json"


def document(metrics_path: str | None) -> dict[str, Any]:
    """`metrics_path` is None when metrics are off."""
    health = {"200": _text("it is"), "503": _text("it is not")}
    verbose = [{"name": "verbose", "in": "query", "schema": {"type": "string"}, "description": "a line for each check"}]
    paths: dict[str, Any] = {
        "/livez": {"get": _operation("Is the control process alive?", {"200": _text("it is")}, is_open=True)},
        "/readyz": {"get": _operation("Should traffic come here?", health, is_open=True) | {"parameters": verbose}},
        "/healthz": {"get": _operation("The same as /readyz.", health, is_open=True) | {"parameters": verbose}},
        "/openapi.json": {"get": _operation("This document.", {"200": _json("the document")})},
        "/v1/status": {"get": _operation("The node, its processes, regions and endpoints.", {"200": _json("status")})},
        "/v1/nodes": {"get": _operation("The nodes of the mesh, and who leads.", {"200": _json("nodes")})},
        "/v1/sync/lag": {
            "get": _operation("How far the regions' data are behind one another, by what all nodes say.", _SYNC)
        },
        "/v1/traffic": {
            "get": _operation("Requests counted since the start, by route and region.", {"200": _json("counters")})
        },
        "/v1/explain": {
            "post": _operation(
                "Where would this request go, and why?",
                {"200": _json("route, candidates, policies, decision"), "400": _problem("a body or request we refuse")},
            )
            | {"requestBody": {"required": True, "content": {_JSON: {"schema": _EXPLAIN}}}}
        },
    }
    paths |= {
        "/v1/explanations": {
            "post": _operation(
                "A field, Tidegate-Debug, that makes requests with it explained for a while. For operators.",
                {
                    "200": _json("name, value and until of the field"),
                    "400": _problem("a body we refuse"),
                    "503": _problem("the signing keys cannot be read"),
                },
            )
            | {"requestBody": {"required": False, "content": {_JSON: {"schema": _PERMIT}}}}
        },
        "/v1/explanations/{id}": {
            "get": _operation(
                "The explanation of a request that was sent with that field, by the id in its answer.",
                {"200": _json("as explain's, and the outcome"), "404": _problem("none of the latest has this id")},
            )
            | {"parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]}
        },
    }
    paths |= operations() | openapi_data.operations()
    if metrics_path is not None:
        paths[metrics_path] = {"get": _operation("Metrics for Prometheus.", {"200": _text("exposition format")})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tidegate admin API", "version": metadata.version("tidegate")},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM, **SCHEMAS, **openapi_data.SCHEMAS},
        },
    }


_SYNC = {"200": _json("lag by region, by peer and collection; counters; `enabled` false where no data is kept")}
_PERMIT: dict[str, Any] = {
    "type": "object",
    "properties": {"valid_s": {"type": "number", "minimum": 1, "maximum": 3600, "default": 600}},
    "additionalProperties": False,
}
_EXPLAIN: dict[str, Any] = {
    "type": "object",
    "required": ["method", "url"],
    "properties": {
        "method": {"type": "string"},
        "url": {"type": "string", "description": "absolute, or a path with Host among the headers"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "client_ip": {"type": "string", "description": "a client's; of a trusted proxy, its fields are believed"},
    },
    "additionalProperties": False,
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "reason": {"type": "string"},
    },
}
