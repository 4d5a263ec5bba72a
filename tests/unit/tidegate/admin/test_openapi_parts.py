"""The pieces of the document."""

from __future__ import annotations

from tidegate.admin.openapi_parts import body, json_answer, operation, parameter


def test_what_is_open_needs_no_token_and_the_rest_says_how_it_refuses() -> None:
    assert operation("x", {}, is_open=True)["security"] == [{}]
    guarded = operation("x", {"200": json_answer("y")})
    assert set(guarded["responses"]) == {"200", "401", "403"}


def test_a_part_of_a_path_is_always_required() -> None:
    assert parameter("id", "path", "which")["required"] is True
    assert "required" not in parameter("limit", "query", "how many")


def test_bodies_and_answers_name_their_schema() -> None:
    assert body("Drain")["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Drain")
    assert json_answer("y", "Drain")["content"]["application/json"]["schema"]["$ref"].endswith("/Drain")
