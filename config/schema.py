"""The format as JSON Schema (draft 2020-12), for editors that complete, explain and underline.

Made from the models, so it cannot say anything else than they do; only what the loader fills in (the node's name, the
only region) is not required. An editor sees one value at a time: what two values mean together, `tidegate check` says.
"""

from __future__ import annotations

from typing import Any

from config.models import Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_FILLED_IN = {"Config": {"node"}, "Node": {"id", "region"}}
"""Required by the models, filled in by the loader."""


def json_schema() -> dict[str, Any]:
    """The schema as plain data; no `$id`, because it stands nowhere."""
    schema = Config.model_json_schema(by_alias=True, mode="validation")
    definitions = schema.pop("$defs")
    definitions = {name: _optional_where_filled_in(name, one) for name, one in definitions.items()}
    whole = {
        "$schema": DIALECT,
        "title": "Tidegate configuration",
        **{key: value for key, value in _optional_where_filled_in("Config", schema).items() if key != "title"},
        "$defs": definitions,
    }
    tidied: dict[str, Any] = _without_generated_titles(whole)
    tidied["title"] = "Tidegate configuration"
    return tidied


def _optional_where_filled_in(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    filled_in = _FILLED_IN.get(name, set())
    required = [key for key in schema.get("required", []) if key not in filled_in]
    rest = {key: value for key, value in schema.items() if key != "required"}
    return {**rest, "required": required} if required else rest


def _without_generated_titles(schema: Any, *, is_names: bool = False) -> Any:
    """Pydantic repeats every key as a title; a key called `title` would stay (`is_names`: keys are names, not words)."""
    if isinstance(schema, dict):
        return {
            key: _without_generated_titles(value, is_names=not is_names and key in {"properties", "$defs"})
            for key, value in schema.items()
            if is_names or key != "title" or not isinstance(value, str)
        }
    if isinstance(schema, list):
        return [_without_generated_titles(item) for item in schema]
    return schema
