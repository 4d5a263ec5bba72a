from __future__ import annotations

import re

import msgspec

from sync.api.openapi import document
from sync.api.server import ALLOWED
from tests.harness.replicas import plan


def test_the_document_names_every_path_and_the_collections() -> None:
    found = document({"notes": plan()})
    assert sorted(found["paths"]) == [
        "/data/v1/batch",
        "/data/v1/openapi.json",
        "/data/v1/{collection}",
        "/data/v1/{collection}/changes",
        "/data/v1/{collection}/conflicts",
        "/data/v1/{collection}/{key}",
        "/data/v1/{collection}/{key}/conflict",
    ]
    assert "notes" in msgspec.json.encode(found).decode()


def test_every_method_that_is_answered_is_described_and_no_other() -> None:
    kinds = {
        "batch": "/data/v1/batch",
        "openapi": "/data/v1/openapi.json",
        "list": "/data/v1/{collection}",
        "changes": "/data/v1/{collection}/changes",
        "conflicts": "/data/v1/{collection}/conflicts",
        "record": "/data/v1/{collection}/{key}",
        "conflict": "/data/v1/{collection}/{key}/conflict",
    }
    paths = document({"notes": plan()})["paths"]
    assert set(kinds) == set(ALLOWED)
    for kind, path in kinds.items():
        assert {name.upper() for name in paths[path]} - {"PARAMETERS"} == set(ALLOWED[kind].split(", ")), path


def test_every_refusal_is_a_problem_and_every_reference_is_there() -> None:
    found = document({"notes": plan()})
    for item in found["paths"].values():
        for name, operation in item.items():
            if name == "parameters":
                continue
            for status, answer in operation["responses"].items():
                assert status < "400" or "application/problem+json" in answer["content"], (name, status)
    text = msgspec.json.encode(found).decode()
    named = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert named == set(found["components"]["schemas"])
