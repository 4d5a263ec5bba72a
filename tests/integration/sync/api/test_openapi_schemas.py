"""What is answered has the fields that the document names, the required ones always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from sync.api.batches import Item
from sync.api.conflicts import Resolution
from sync.api.openapi_schemas import SCHEMAS
from tests.harness.data_api import DataApi


def fits(value: Any, schema: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "array":
        for one in value:
            fits(one, schema["items"])
    elif schema.get("type") == "object":
        assert set(value) >= set(schema["required"]), value
        assert set(value) <= set(schema["properties"]), set(value) - set(schema["properties"])
        for name, one in value.items():
            fits(one, schema["properties"][name])
    elif "enum" in schema:
        assert value in schema["enum"]
    elif schema.get("type") == "string":
        assert isinstance(value, str)
    elif schema.get("type") == "integer":
        assert isinstance(value, int)


async def test_every_answer_is_as_described(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        for value in (b"1", b"2"):
            await api.put("forms", "k", value)
        first = await api.put("settings", "s", b"1")
        await api.put("settings", "s", b"2")
        await api.put("settings", "s", b"3", Tidegate_Context=first.headers["Tidegate-Context"])
        await api.put("settings", "j", b"{}", Content_Type="application/json")
        item = {"method": "PUT", "collection": "notes", "key": "b", "value": 1, "op_id": "a:1"}
        bad = {"method": "PUT", "collection": "nothing", "key": "b", "value": 1}
        body = msgspec.json.encode({"operations": [item, bad]})
        for answer, schema in (
            (await api.get("forms/k"), "Siblings"),
            (await api.get("forms/k/conflict"), "Conflict"),
            (await api.get("forms/conflicts"), "Conflicts"),
            (await api.get("settings/conflicts"), "Conflicts"),
            (await api.get("forms"), "List"),
            (await api.get("settings/changes"), "Changes"),
            (await api.ask("POST", "batch", body), "BatchResults"),
            (await api.get("nothing/k"), "Problem"),
        ):
            fits(answer.json(), SCHEMAS[schema])


def test_what_is_read_is_what_is_described() -> None:
    assert set(SCHEMAS["Batch"]["properties"]["operations"]["items"]["properties"]) == set(Item.__struct_fields__)
    assert set(SCHEMAS["Resolution"]["properties"]) == set(Resolution.__struct_fields__)
