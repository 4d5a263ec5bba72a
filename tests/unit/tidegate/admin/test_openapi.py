"""The OpenAPI document."""

from __future__ import annotations

from tests.harness.control import House
from tidegate.admin import dashboard
from tidegate.admin.app import Admin
from tidegate.admin.openapi import document
from tidegate.node.logs import silent


async def test_it_names_exactly_what_can_be_asked(house: House) -> None:
    admin = Admin(house.control(), environ={}, log=silent())
    described = {
        (method.upper(), path) for path, item in document("/metrics")["paths"].items() for method in item if len(method)
    }
    pages = set(dashboard.entries())  # for people, not for programs
    assert described == set(admin.entries()) - pages


def test_without_metrics_there_is_no_such_path() -> None:
    assert "/metrics" not in document(None)["paths"]
    assert document(None)["openapi"] == "3.1.0"


def test_every_operation_says_what_it_is_for_and_who_may_ask() -> None:
    for path, item in document("/metrics")["paths"].items():
        for operation in item.values():
            assert operation["summary"], path
            assert "200" in operation["responses"]
            assert ("401" in operation["responses"]) == (operation["security"] != [{}])
