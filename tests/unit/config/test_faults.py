"""What pydantic refuses is said in the words of the file, once a value."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.document import as_json, parse
from config.faults import Fault, faults, nearest, one_of, problems
from config.models import Config
from tests.unit.config.written import file


def found(text: str) -> list[Fault]:
    document = parse(text, file="t.yaml")
    with pytest.raises(ValidationError) as raised:
        Config.model_validate_json(as_json(document.root))
    return faults(raised.value.errors(include_url=False), document)


NODE = "node: {id: a, region: eu-west}\n"


def test_an_unknown_key_is_told_at_the_key_with_the_nearest_known_one() -> None:
    (fault,) = found(file(rest=NODE, service="health_check: {intervall: 5s}"))
    assert fault == Fault(("services", 0, "health_check", "intervall"), "an unknown key", "interval", is_key=True)


def test_a_missing_key_says_what_it_is_for() -> None:
    (fault,) = found(file(rest=NODE, region="location: {latitude: 1}"))
    assert fault.path == ("regions", 0, "location", "longitude")
    assert fault.found == "nothing"
    assert fault.expected == "a value for longitude, which is required (degrees east, negative for west)"


def test_the_alternatives_of_one_value_are_one_fault() -> None:
    (fault,) = found(file(rest=NODE + "election: {acceptors: 5}"))
    assert fault == Fault(("election", "acceptors"), "5", "auto, or a list")


def test_what_is_said_of_a_part_replaces_what_is_said_of_the_whole() -> None:
    (fault,) = found(file(rest=NODE + "election: {acceptors: [{url: 5}]}"))
    assert fault == Fault(("election", "acceptors", 0, "url"), "5", "text")


def test_a_key_of_the_operators_choice_may_be_wrong_too() -> None:
    (fault,) = found(file(rest=NODE + "tenants: {A B: {rate: 1/s}}"))
    assert (fault.path, fault.found, fault.is_key) == (("tenants", "A B"), 'the key "A B"', True)


@pytest.mark.parametrize("literal", ["hunter2", "12345", "true", "[[hunter2]]"])
def test_a_secret_that_is_written_out_is_never_repeated(literal: str) -> None:
    for text in (
        file(rest=NODE + f"secrets: {{signing_keys: {literal}}}"),
        file(rest=NODE + f"secrets: {{signing_keys: [{literal}]}}"),
        file(rest=NODE + f"admin: {{tokens: [{{name: a, role: admin, token: {literal}}}]}}"),
    ):
        for fault in found(text):
            assert "hunter2" not in fault.found + fault.expected
            assert "12345" not in fault.found + fault.expected


def test_a_fault_stands_where_its_value_or_its_key_does() -> None:
    document = parse("a: {b: c}", file="t.yaml")
    refused = [Fault(("a", "b"), "x", "y"), Fault(("a", "b"), "x", "y", is_key=True), Fault(("a", "d"), "x", "y")]
    assert [one.column for one in problems(refused, document)] == [8, 5, 4]


def test_a_typing_error_finds_the_name_that_was_meant() -> None:
    known = ("interval", "timeout", "jitter")
    assert nearest("intervall", known) == "interval"
    assert nearest("TIMEOUT", known) == "timeout"
    assert nearest("zzz", known) is None
    assert one_of(known, "zzz") == "one of interval, timeout, jitter"
    assert one_of((), "zzz") == "no key here"
    assert one_of(("only",), "zzz") == "only"
