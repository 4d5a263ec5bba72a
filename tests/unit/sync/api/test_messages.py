from __future__ import annotations

from sync.api.messages import Answer, Request, json_answer


def test_a_query_is_decoded_and_of_a_name_given_twice_the_first_counts() -> None:
    request = Request("GET", "/data/v1/notes?prefix=a%2Fb+c&limit=1&limit=2&after=", {})
    assert request.query == {"prefix": "a/b c", "limit": "1", "after": ""}
    assert Request("GET", "/data/v1/notes", {}).query == {}


def test_a_request_is_known_by_what_the_gateway_calls_it() -> None:
    assert Request("GET", "/", {"x-request-id": "abc"}).id == "abc"
    assert Request("GET", "/", {}).id == ""


def test_a_json_answer_says_what_it_is_and_more_if_told() -> None:
    assert json_answer({"a": [1]}, status=300, headers={"X": "y"}) == Answer(
        300, {"Content-Type": "application/json", "Cache-Control": "no-cache", "X": "y"}, b'{"a":[1]}'
    )
