"""What can be asked of the data API? An OpenAPI 3.1 document, of the collections that this node knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sync.api.openapi_schemas import SCHEMAS, ref
from sync.core.plans import CollectionPlan

_TEXT: Final = {"type": "string"}
_JSON: Final = "application/json"
_REFUSALS: Final = {
    400: "malformed: a header, token, cursor, path or body that is not what was expected",
    401: "not authenticated, where the route asks for it",
    403: "not allowed by the route",
    404: "no such collection, key or conflict",
    405: "another method is expected",
    409: "in conflict, too many versions, or an operation so old that nobody knows whether it was done",
    410: "the value was erased, or the cursor is too old: start again from a list",
    412: "a precondition is not met",
    413: "too large",
    415: "a patch of another type",
    421: "this region may not hold the collection",
    422: "a patch that cannot be applied, or an operation id that was used for another request",
    429: "over a limit of the route",
    503: "not now, see `reason` and Retry-After: behind the session, no lease to write, a region that did not answer",
    507: "no room for the write; reads go on",
}
_READ_REFUSALS: Final = (400, 401, 403, 404, 405, 410, 421, 429, 503)
_WRITE_REFUSALS: Final = (400, 401, 403, 404, 405, 409, 412, 413, 415, 421, 422, 429, 503, 507)
_DESCRIBED: Final = {
    "Tidegate-Session": "what this client has seen; a read waits for it or is 503, never behind it",
    "Tidegate-Read-Level": "local: this node; regional: all of its region; global: every region that holds it",
    "Tidegate-Write-Level": "how many regions must hold it before the answer; 202 when they did not in time",
    "Tidegate-Context": "what the writer has read of the key, from an earlier answer",
    "Tidegate-Op-Id": "<client>:<sequence>, the same for every attempt",
    "Idempotency-Key": "in place of an operation id; remembered for a day",
    "If-Match": "an entity tag, or *",
    "If-None-Match": "on a write only *: the key must be new; on a read an entity tag that is known",
    "Last-Event-ID": "in place of `since`, as browsers send it",
}
_VALUES: Final[dict[str, Mapping[str, Any]]] = {
    "Tidegate-Read-Level": {"enum": ["local", "regional", "global"]},
    "Tidegate-Write-Level": {"enum": ["local", "majority", "global"]},
}
_READ_HEADERS: Final = ("Tidegate-Session", "Tidegate-Read-Level")
_WRITE_HEADERS: Final = (
    "If-Match",
    "If-None-Match",
    "Tidegate-Context",
    "Tidegate-Op-Id",
    "Idempotency-Key",
    "Tidegate-Write-Level",
    "Tidegate-Session",
)
_VERSIONED: Final = {
    "ETag": {"description": "the version", "schema": _TEXT},
    "Tidegate-Context": {"description": "what a later write of this key names", "schema": _TEXT},
    "Tidegate-Session": {"description": "what later reads and writes may carry", "schema": _TEXT},
}
_WRITTEN: Final = {
    **_VERSIONED,
    "Tidegate-Durability": {
        "description": "what holds it, of the regions that may",
        "schema": {"enum": ["local", "one", "majority", "global"]},
    },
}
_MERGED: Final = {
    **_VERSIONED,
    "Tidegate-Resolver": {"description": "the function that made one value of several versions", "schema": _TEXT},
}


def document(plans: Mapping[str, CollectionPlan]) -> dict[str, Any]:
    """The document."""
    collection = _path("collection", {"enum": sorted(plans)}, "a collection of the configuration")
    key = _path("key", {"type": "string", "minLength": 1, "maxLength": 1024}, "all that follows; slashes belong to it")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tidegate data API", "version": "1"},
        "paths": {
            "/data/v1/{collection}/{key}": {"parameters": [collection, key], **_record()},
            "/data/v1/{collection}": {
                "parameters": [collection],
                "get": _operation(
                    "List keys", _page("List", _READ_REFUSALS), [_query("prefix"), *_PAGE, *_headers(_READ_HEADERS)]
                ),
            },
            "/data/v1/{collection}/changes": {"parameters": [collection], "get": _changes()},
            "/data/v1/{collection}/conflicts": {
                "parameters": [collection],
                "get": _operation(
                    "Conflicts, unresolved or lost by the clock", _page("Conflicts", _READ_REFUSALS), _PAGE
                ),
            },
            "/data/v1/{collection}/{key}/conflict": {"parameters": [collection, key], **_conflict()},
            "/data/v1/batch": {
                "post": _operation(
                    "Many writes, each judged alone, in order per key",
                    _page("BatchResults", (400, 401, 403, 405, 413, 429, 503)),
                    _headers(("Tidegate-Write-Level",)),
                    _body("Batch"),
                )
            },
            "/data/v1/openapi.json": {"get": _operation("This document", {"200": {"description": "it"}}, [])},
        },
        "components": {"schemas": SCHEMAS},
    }


def _record() -> dict[str, Any]:
    value: dict[str, Any] = {"content": {"*/*": {"schema": {}}}}
    written = {
        "200": {"description": "replaced", "headers": _WRITTEN},
        "201": {"description": "new", "headers": _WRITTEN},
        "202": {"description": "durable here, not yet as widely as was asked", "headers": _WRITTEN},
        **_refused(_WRITE_REFUSALS),
    }
    read = {
        "200": {"description": "the value, in its own type", "headers": _MERGED, **value},
        "300": {"description": "concurrent versions", "headers": _VERSIONED, **_shape("Siblings")},
        "304": {"description": "known already", "headers": _VERSIONED},
        **_refused(_READ_REFUSALS),
    }
    reading = _headers(("If-None-Match", *_READ_HEADERS))
    writing = _headers(_WRITE_HEADERS)
    patch: dict[str, Any] = {"content": {"application/merge-patch+json": {"schema": {}}, _JSON: {"schema": {}}}}
    deleted = {"204": {"description": "gone", "headers": _WRITTEN}, "202": written["202"]}
    return {
        "get": _operation("Read a record", read, reading),
        "head": _operation("Read a record's headers", read, reading),
        "put": _operation("Write a record", written, writing, value),
        "patch": _operation("Merge into a record (RFC 7386)", written, writing, patch),
        "delete": _operation("Delete a record", {**deleted, **_refused(_WRITE_REFUSALS)}, writing),
    }


def _changes() -> dict[str, Any]:
    found = _page("Changes", _READ_REFUSALS)
    found["200"]["content"]["text/event-stream"] = {"schema": {**_TEXT, "description": "`id` is the cursor"}}
    found["101"] = {"description": "a WebSocket: one message a change"}
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000})
    since = _query("since", _TEXT, "a cursor; from the beginning without")
    wait = _query("wait", {**_TEXT, "examples": ["30s"]}, "how long to wait for the first, at most a minute")
    headers = _headers(("Tidegate-Session", "Last-Event-ID"))
    return _operation("What changed: a page by long poll, SSE, or WebSocket", found, [since, limit, wait, *headers])


def _conflict() -> dict[str, Any]:
    resolved = {
        "200": {"description": "resolved", "headers": _WRITTEN},
        "202": {"description": "resolved here, not yet as widely as was asked", "headers": _WRITTEN},
        **_refused(_WRITE_REFUSALS),
    }
    headers = _headers(("Tidegate-Op-Id", "Idempotency-Key", "Tidegate-Write-Level", "Tidegate-Session"))
    return {
        "get": _operation("All versions of a record in conflict", _page("Conflict", _READ_REFUSALS), []),
        "post": _operation("Resolve it, by one version or a value of its own", resolved, headers, _body("Resolution")),
    }


def _operation(
    summary: str, responses: Mapping[str, Any], parameters: list[dict[str, Any]], body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": summary, "parameters": parameters, "responses": dict(responses)}
    if body is not None:
        found["requestBody"] = {"required": True, **body}
    return found


def _page(schema: str, refusals: tuple[int, ...]) -> dict[str, Any]:
    return {"200": {"description": "found", **_shape(schema)}, **_refused(refusals)}


def _refused(statuses: tuple[int, ...]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {str(status): {"description": _REFUSALS[status], "content": content} for status in statuses}


def _shape(schema: str) -> dict[str, Any]:
    return {"content": {_JSON: {"schema": ref(schema)}}}


def _body(schema: str) -> dict[str, Any]:
    return _shape(schema)


def _path(name: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": dict(schema)}


def _query(name: str, schema: Mapping[str, Any] = _TEXT, description: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": "query", "schema": dict(schema)}
    return found | ({"description": description} if description else {})


def _headers(names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "description": _DESCRIBED[name], "schema": dict(_VALUES.get(name, _TEXT))}
        for name in names
    ]


_PAGE: Final = [
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
    _query("after", _TEXT, "the `next` of the page before"),
]
