"""The format as JSON Schema (draft 2020-12), for editors that complete, explain and underline.

Made from the models, so it cannot say anything else than they do; only what the loader fills in (the node's name, the
only region) is not required. An editor sees one value at a time: what two values mean together, `tidegate check` says.
"""

from __future__ import annotations

from typing import Any

from config import models
from config.descriptions import description_of
from config.models import Config
from config.models.model import Model

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_FILLED_IN = {"Config": {"node"}, "Node": {"id", "region"}}
"""Required by the models, filled in by the loader."""


def json_schema() -> dict[str, Any]:
    """The schema as plain data; no `$id`, because it stands nowhere."""
    schema = Config.model_json_schema(by_alias=True, mode="validation")
    definitions = schema.pop("$defs")
    whole: dict[str, Any] = _tidied({**_block(Config, schema), "$defs": {}})
    blocks = {name: _block(getattr(models, name), one) for name, one in definitions.items()}
    whole["$defs"] = {name: _tidied(block) for name, block in blocks.items()}
    return {"$schema": DIALECT, "title": "Tidegate configuration", **whole}


def _block(model: type[Model], schema: dict[str, Any]) -> dict[str, Any]:
    """One model's schema, with what options are for, defaults as in a file, and nothing required that is filled in."""
    attributes = {info.alias or name: name for name, info in model.model_fields.items()}
    defaults = model.model_construct().model_dump(mode="json", warnings=False)
    properties = {}
    for key, one in schema["properties"].items():
        words = {"default": defaults[key]} if "default" in one else {}
        if (description := description_of(model, attributes[key])) is not None:
            words["description"] = description
        properties[key] = {**one, **words}
    required = [key for key in schema.get("required", []) if key not in _FILLED_IN.get(model.__name__, set())]
    return {**schema, "properties": properties, "required": required}


def _tidied(schema: Any, *, is_names: bool = False) -> Any:
    """Without pydantic's titles, which repeat the keys (`is_names`: keys are names here, not words of the dialect).

    A mapping whose keys have a pattern takes no others.
    """
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {
        key: value if key in {"default", "examples"} else _tidied(value, is_names=not is_names and key == "properties")
        for key, value in schema.items()
        if is_names or key != "title"
    }
    if not is_names and "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    return tidied
