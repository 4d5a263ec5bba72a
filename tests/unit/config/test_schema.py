"""Editors get a schema that says what the models say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes with check-jsonschema, ships no types
import pytest

from config import document
from config.schema import DIALECT, json_schema

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


def read(path: Path) -> document.Data:
    return document.parse(path.read_text(), file=path.name).root


def test_it_is_a_schema_of_the_dialect_that_it_names(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert "$id" not in schema
    json.dumps(schema)


@pytest.mark.parametrize("name", ["example/tidegate.yaml", "minimal.yaml", "three_regions.yaml"])
def test_files_that_are_sound_are_valid(schema: dict[str, Any], name: str) -> None:
    errors = jsonschema.Draft202012Validator(schema).iter_errors(read(FIXTURES / name))
    assert [(error.json_path, error.message) for error in errors] == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"routs": []}, "$"),
        ({"node": {"shutdown_grace": 30}}, "$.node.shutdown_grace"),
        ({"node": {"workers": -1}}, "$.node.workers"),
        ({"secrets": {"signing_keys": ["hunter2"]}}, "$.secrets.signing_keys[0]"),
        ({"tenants": {"A B": {"rate": "1/s"}}}, "$.tenants"),
        ({"regions": []}, "$.regions"),
        ({"version": 2}, "$.version"),
    ],
)
def test_mistakes_are_underlined(schema: dict[str, Any], change: dict[str, Any], path: str) -> None:
    minimal = read(FIXTURES / "minimal.yaml")
    assert isinstance(minimal, dict)
    errors = jsonschema.Draft202012Validator(schema).iter_errors({**minimal, **change})
    assert [error.json_path for error in errors] == [path]


def test_what_the_loader_fills_in_is_not_required(schema: dict[str, Any]) -> None:
    assert schema["required"] == ["regions", "services", "routes"]
    assert schema["$defs"]["Node"]["required"] == []


def test_defaults_are_written_as_in_the_file(schema: dict[str, Any]) -> None:
    check = schema["$defs"]["HealthCheck"]["properties"]
    assert check["interval"]["default"] == "5s"
    assert check["jitter"]["default"] == "20%"
    assert check["expected_status"]["default"] == ["200-299"]
    assert schema["$defs"]["ListenerLimits"]["properties"]["max_request_line"]["default"] == "8KiB"
    assert "250ms" in check["interval"]["examples"]


def test_every_option_is_described(schema: dict[str, Any]) -> None:
    blocks = {"Config": schema, **schema["$defs"]}
    silent = [name for name, block in blocks.items() if "description" not in block]
    silent += [
        f"{name}.{key}"
        for name, block in blocks.items()
        for key, option in block["properties"].items()
        if not _is_described(option, schema["$defs"])
    ]
    assert silent == []


def _is_described(option: dict[str, Any], blocks: dict[str, Any]) -> bool:
    if "description" in option or "const" in option:
        return True
    if "$ref" in option:
        return "description" in blocks[option["$ref"].rpartition("/")[2]]
    if "items" in option:
        return _is_described(option["items"], blocks)
    inner = [*option.get("patternProperties", {}).values(), *option.get("anyOf", ()), *option.get("oneOf", ())]
    return bool(inner) and all(one.get("type") == "null" or _is_described(one, blocks) for one in inner)
