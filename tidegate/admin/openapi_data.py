"""What operators ask of the data, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

import msgspec

from tidegate.admin.data import MemberEviction, QuarantineRetry, SnapshotOrder
from tidegate.admin.openapi_parts import body, json_answer, operation, parameter, problem_answer

_NO = {
    "400": problem_answer("a body or query we refuse"),
    "404": problem_answer("no such collection, no such conflict, or no data here"),
    "421": problem_answer("this region may not hold the collection"),
    "503": problem_answer("the process that holds the data does not answer, or the journal cannot be written"),
}
_COLLECTION = parameter("id", "path", "a collection of the configuration")
_LIMIT = parameter("limit", "query", "at most so many", pattern="^[0-9]+$")


def operations() -> dict[str, Any]:
    """Paths with their operations."""
    return upkeep_operations() | {
        "/v1/sync": {
            "get": operation(
                "The collections with their figures, the peers, and how far each stream is behind each.",
                {"200": json_answer("the data's status", "SyncStatus"), "404": _NO["404"], "503": _NO["503"]},
            )
        },
        "/v1/sync/quarantine": {
            "get": operation(
                "What is received and not applied, and origins from which nothing is taken. Needs the role operator.",
                {"200": json_answer("held and distrusted"), **_NO},
            )
            | {"parameters": [parameter("collection", "query", "of this one only"), _LIMIT]},
            "post": operation(
                "Ask peers again and apply what nothing holds back (retry), or go on without one operation (release).",
                {"200": json_answer("what has been taken up again"), **_NO},
            )
            | body("QuarantineRetry"),
        },
        "/v1/sync/collections/{id}/conflicts": {
            "get": operation(
                "Keys in conflict, or versions that lost by the clock. Needs the role operator.",
                {"200": json_answer("a page"), **_NO},
            )
            | {"parameters": [_COLLECTION, _LIMIT, parameter("after", "query", "the `next` of the page before")]}
        },
        "/v1/sync/collections/{id}/conflict": {
            "get": operation(
                "All versions of a key, and the context that a resolution names. Needs the role operator.",
                {"200": json_answer("the versions"), **_NO},
            )
            | {"parameters": [_COLLECTION, parameter("key", "query", "the key")]},
            "post": operation(
                "Resolve it: one of its versions or a value of its own, in place of what the context names.",
                {"200": json_answer("resolved"), "409": problem_answer("not in conflict, or no such version"), **_NO},
            )
            | body("ConflictResolution")
            | {"parameters": [_COLLECTION]},
        },
    }


def upkeep_operations() -> dict[str, Any]:
    """Of the data's long life."""
    return {
        "/v1/sync/upkeep": {
            "get": operation(
                "Members and who is evicted, comparisons with peers, a snapshot under way, the backup.",
                {"200": json_answer("the data's long life"), "404": _NO["404"], "503": _NO["503"]},
            )
        },
        "/v1/sync/evict": {
            "post": operation(
                "Wait for a member, or all of a region's, no longer, on every node that is reached.",
                {"200": json_answer("what each node said"), "409": problem_answer("a node has heard it"), **_NO},
            )
            | body("MemberEviction"),
        },
        "/v1/sync/snapshot": {
            "post": operation(
                "Take a snapshot of a collection from a peer now.",
                {"200": json_answer("begun"), "409": problem_answer("not replicated"), **_NO},
            )
            | body("SnapshotOrder"),
        },
        "/v1/sync/backup": {
            "post": operation(
                "Begin a backup of what this node holds; `upkeep` tells how it goes.",
                {"200": json_answer("begun"), "409": problem_answer("no backup is configured"), **_NO},
            ),
        },
    }


_TEXT = {"type": "string"}
_STATUS: dict[str, Any] = {
    "type": "object",
    "required": ["node", "collections", "peers", "lag"],
    "properties": {
        "node": _TEXT,
        "member": {"type": ["string", "null"], "description": "this store, as its peers know it"},
        "collections": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["collection", "data_type", "conflict", "strategy", "regions", "here", "fault"],
                "properties": {
                    "collection": _TEXT,
                    "figures": {"type": ["object", "null"], "description": "null where it is not kept"},
                    "fault": {"type": ["string", "null"], "description": "why it cannot be served"},
                },
            },
        },
        "peers": {"type": "array", "items": {"type": "object"}},
        "lag": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["peer", "region", "collection", "operations", "seconds", "level"],
                "properties": {
                    "operations": {"type": "integer"},
                    "seconds": {"type": ["number", "null"], "description": "null while the peer was never heard"},
                    "level": {"enum": ["ok", "warning", "critical", "unknown"]},
                },
            },
        },
    },
}
_RESOLUTION: dict[str, Any] = {
    "type": "object",
    "required": ["key", "context"],
    "properties": {
        "key": _TEXT,
        "context": {**_TEXT, "description": "of the versions that were looked at; one that came later stays"},
        "choose": {**_TEXT, "description": "one of the versions; or a value of its own:"},
        "value": {"description": "any JSON"},
        "value_base64": _TEXT,
        "content_type": _TEXT,
        "reason": _TEXT,
    },
    "additionalProperties": False,
}
SCHEMAS: dict[str, Any] = {
    "SyncStatus": _STATUS,
    "ConflictResolution": _RESOLUTION,
    **msgspec.json.schema_components([QuarantineRetry, MemberEviction, SnapshotOrder])[1],
}
