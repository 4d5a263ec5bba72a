"""What operators act by, described as it is."""

from __future__ import annotations

import json

from tests.harness.control import House
from tidegate.admin import operator_entries
from tidegate.admin.events import Events
from tidegate.admin.openapi import document
from tidegate.admin.openapi_operations import operations


async def test_it_names_exactly_what_operators_can_ask(house: House) -> None:
    described = {(method.upper(), path) for path, item in operations().items() for method in item}
    control = house.control()
    assert described == set(operator_entries.entries(control, Events(control)))


def test_every_named_schema_is_there() -> None:
    whole = document("/metrics")
    text = json.dumps(whole)
    named = {part.split('"', 1)[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(whole["components"]["schemas"])


def test_every_path_with_an_id_says_what_the_id_is() -> None:
    for path, item in operations().items():
        if "{id}" in path:
            for operation in item.values():
                assert any(one["name"] == "id" and one["required"] for one in operation["parameters"]), path
