"""JSON and problem documents."""

from __future__ import annotations

import json

from tidegate.admin.answers import as_json, problem


def test_a_problem_names_its_reason_and_is_not_stored() -> None:
    answer = problem(409, "drain_refused", "it would leave none", headers={"Allow": "GET"})
    assert answer.status == 409
    assert answer.content_type == "application/problem+json"
    assert isinstance(answer.body, bytes)
    document = json.loads(answer.body)
    assert (document["reason"], document["detail"], document["status"]) == ("drain_refused", "it would leave none", 409)
    assert document["instance"] == answer.headers["X-Request-Id"]
    assert (answer.headers["Allow"], answer.headers["Cache-Control"]) == ("GET", "no-store")


def test_a_value_is_json_with_the_status_it_is_given() -> None:
    answer = as_json({"a": 1}, status=202)
    assert (answer.status, answer.body, answer.content_type) == (202, b'{"a":1}', "application/json")
