"""The bodies of the data API, as its OpenAPI document names them."""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}
_BYTES: Final = {"type": ["string", "null"], "contentEncoding": "base64", "description": "null once it was erased"}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


_NEXT: Final = {"type": ["string", "null"], "description": "where the next page begins; null after the last"}
_SIBLING: Final = _object(
    ("version", "content_type", "value_base64", "origin", "written_at"),
    version=_TEXT,
    content_type=_TEXT,
    value_base64=_BYTES,
    origin={**_TEXT, "description": "the store that took the write"},
    written_at=_TIME,
)
_LISTED: Final = _object(
    ("key", "version", "content_type", "size", "written_at"),
    key=_TEXT,
    version=_TEXT,
    content_type=_TEXT,
    size={"type": "integer"},
    written_at=_TIME,
    versions={"type": "integer", "description": "where there are several, how many"},
)
_CHANGE: Final = _object(
    ("cursor", "key", "version", "deleted"),
    cursor=_TEXT,
    key=_TEXT,
    version=_TEXT,
    deleted={"type": "boolean"},
    content_type=_TEXT,
    value={"description": "where it is JSON"},
    value_base64=_TEXT,
    href={**_TEXT, "description": "where a large value is read"},
)
_CONFLICTED: Final = _object(
    ("key", "state"),
    key=_TEXT,
    state={"enum": ["unresolved", "lost"]},
    versions=_list(_TEXT),
    lost={**_TEXT, "description": "the version that the clock decided against"},
    won=_TEXT,
    value_base64=_BYTES,
    content_type=_TEXT,
    size={"type": "integer"},
    written_at=_TIME,
)
_ITEM: Final = _object(
    ("method", "collection", "key"),
    op_id={**_TEXT, "description": "<client>:<sequence>"},
    method={"enum": ["PUT", "PATCH", "DELETE"]},
    collection=_TEXT,
    key=_TEXT,
    content_type=_TEXT,
    value={"description": "any JSON; or"},
    value_base64=_TEXT,
    context=_TEXT,
)
_RESULT: Final = _object(
    ("op_id", "status"),
    op_id={"type": ["string", "null"]},
    status={"type": "integer", "description": "as a request of its own would get"},
    version=_TEXT,
    context=_TEXT,
    problem=ref("Problem"),
)

SCHEMAS: Final[dict[str, Any]] = {
    "Problem": _object(
        ("type", "title", "status", "detail"),
        type={**_TEXT, "format": "uri"},
        title=_TEXT,
        status={"type": "integer"},
        detail=_TEXT,
        instance=_TEXT,
        reason=_TEXT,
        rule=_TEXT,
        retry_after_s={"type": "integer"},
    ),
    "Siblings": _object(("siblings", "context"), siblings=_list(_SIBLING), context=_TEXT),
    "Conflict": _object(
        ("siblings", "deletes", "context"),
        siblings=_list(_SIBLING),
        deletes={**_list(_TEXT), "description": "versions that deleted the key"},
        context=_TEXT,
    ),
    "List": _object(("items", "next"), items=_list(_LISTED), next=_NEXT),
    "Changes": _object(("changes", "next"), changes=_list(_CHANGE), next=_TEXT),
    "Conflicts": _object(("items", "next"), items=_list(_CONFLICTED), next=_NEXT),
    "Batch": _object(("operations",), operations={**_list(_ITEM), "maxItems": 1000}),
    "BatchResults": _object(("results",), results=_list(_RESULT)),
    "Resolution": {
        **_object(
            ("context",),
            context=_TEXT,
            choose={**_TEXT, "description": "one of the versions; or a value of its own:"},
            value={"description": "any JSON"},
            value_base64=_TEXT,
            content_type=_TEXT,
        ),
        "additionalProperties": False,
    },
}
