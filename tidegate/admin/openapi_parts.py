"""The pieces that an OpenAPI document of ours is made of."""

from __future__ import annotations

from typing import Any

JSON = "application/json"


def operation(summary: str, responses: dict[str, Any], *, is_open: bool = False) -> dict[str, Any]:
    refused = (
        {}
        if is_open
        else {"401": problem_answer("no token, or none that is taken"), "403": problem_answer("not your role")}
    )
    return {"summary": summary, "responses": responses | refused, "security": [{}] if is_open else [{"token": []}, {}]}


def text_answer(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def json_answer(description: str, schema: str | None = None) -> dict[str, Any]:
    """`schema` names one of the document's components."""
    shape = {"type": "object"} if schema is None else {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {JSON: {"schema": shape}}}


def problem_answer(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def body(schema: str, *, required: bool = True) -> dict[str, Any]:
    shape = {"$ref": f"#/components/schemas/{schema}"}
    return {"requestBody": {"required": required, "content": {JSON: {"schema": shape}}}}


def parameter(name: str, where: str, description: str, **schema: Any) -> dict[str, Any]:
    found = {"name": name, "in": where, "description": description, "schema": {"type": "string", **schema}}
    return found | ({"required": True} if where == "path" else {})
