"""The OpenAPI 3.1 document of what the admin API offers; a test compares it with the routes that exist."""

from __future__ import annotations

from importlib import metadata
from typing import Any

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
        "/v1/explain": {
            "post": _operation(
                "Where would this request go, and why?",
                {"200": _json("route, candidates, policies, decision"), "400": _problem("a body or request we refuse")},
            )
            | {"requestBody": {"required": True, "content": {_JSON: {"schema": _EXPLAIN}}}}
        },
    }
    if metrics_path is not None:
        paths[metrics_path] = {"get": _operation("Metrics for Prometheus.", {"200": _text("exposition format")})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tidegate admin API", "version": metadata.version("tidegate")},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM},
        },
    }


_EXPLAIN: dict[str, Any] = {
    "type": "object",
    "required": ["method", "url"],
    "properties": {
        "method": {"type": "string"},
        "url": {"type": "string", "description": "absolute, or a path with Host among the headers"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "client_ip": {"type": "string"},
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


def _operation(summary: str, responses: dict[str, Any], *, is_open: bool = False) -> dict[str, Any]:
    refused = {} if is_open else {"401": _problem("no token, or none that is taken"), "403": _problem("not your role")}
    return {"summary": summary, "responses": responses | refused, "security": [{}] if is_open else [{"token": []}, {}]}


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def _json(description: str) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": {"type": "object"}}}}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}
