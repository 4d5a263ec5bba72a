"""What moves a single request between regions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.core.conditions import compile_condition
from config.core.signing import Signer
from gateway.core.head import parse_request_head
from gateway.core.steering import Asking, Steering, SteeringRule, matching_rule, tokens_of, wish_of
from health.core.session_token import SessionToken, seal, seal_header


def head(*fields: str) -> object:
    return parse_request_head("\r\n".join(("GET /a?q=1 HTTP/1.1", "Host: h", *fields, "", "")).encode("latin-1"))


def asking(*fields: str, country: str | None = "IE") -> Asking:
    return Asking(head(*fields), "192.0.2.9", lambda: country)  # type: ignore[arg-type]  # a head is facts


def test_a_request_answers_every_name() -> None:
    request = asking("X-A: 1", "X-A: 2")
    names = ("client.ip", "client.country", "client.continent", "request.method", "request.host", "request.path")
    assert [request.text(name) for name in names] == ["192.0.2.9", "IE", "EU", "GET", "h", "/a"]
    assert request.text("request.query") == "q=1"
    assert (request.header("x-a"), request.header("x-b")) == ("1", None)
    assert request.headers() == {"host": "h", "x-a": "1"}


def test_an_unknown_place_can_be_named() -> None:
    assert asking(country=None).text("client.country") == "unknown"
    assert asking(country=None).text("client.continent") == "unknown"


def rule(number: int, when: str) -> SteeringRule:
    return SteeringRule(number, compile_condition(when), ("us",))


def test_the_first_rule_that_holds_counts_and_one_without_an_answer_is_passed_and_counted() -> None:
    failed: list[SteeringRule] = []
    rules = [
        rule(0, "request.headers['absent'] == 'x'"),
        rule(1, "client.country == 'US'"),
        rule(2, "client.country == 'IE'"),
        rule(3, "true"),
    ]
    found = matching_rule(rules, asking(), failed.append)
    assert found is rules[2]
    assert failed == [rules[0]]
    assert matching_rule(rules[:2], asking(), failed.append) is None


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        (["X-Region: us"], "us"),
        (["X-Region:  US "], "us"),
        (["X-Region: mars"], None),
        (["X-Region: us", "X-Region: eu"], None),
        (["X-Region: us, eu"], None),
        (["X-Region: "], None),
        (["X-Region: " + "u" * 5000], None),
        (["X-Region: \xe9\xff"], None),
        ([], None),
    ],
)
def test_a_wish_is_one_allowed_region_and_nothing_else_is_one(fields: list[str], wish: str | None) -> None:
    facts = parse_request_head("\r\n".join(("GET / HTTP/1.1", "Host: h", *fields, "", "")).encode("latin-1"))
    assert wish_of(facts, b"x-region", ["eu", "us"]) == wish


SIGNER = Signer([b"key"])
STEERING = Steering((), None, None, is_consistent=True, classes=frozenset({"note"}))
NOTE = SessionToken("note", 1, {"notes": {"eu:a.1": 7}})
PROFILE = SessionToken("profile", 1, {"profiles": {"eu:b.1": 3}})


def tokens(*values: str, steering: Steering = STEERING, signer: Signer | None = SIGNER) -> list[SessionToken] | None:
    return tokens_of(head(*(f"Tidegate-Session: {value}" for value in values)), steering, signer)  # type: ignore[arg-type]


def test_what_a_session_has_seen_of_the_routes_data_counts_and_nothing_else() -> None:
    both = seal_header([NOTE, PROFILE], SIGNER)
    assert tokens(both) == [NOTE]
    assert tokens(seal(NOTE, SIGNER), seal(PROFILE, SIGNER)) == [NOTE], "a field may come in several lines"
    assert tokens(both, steering=replace(STEERING, classes=None)) == [NOTE, PROFILE]
    assert tokens() == []


@pytest.mark.parametrize(
    "value",
    ["nonsense", "\xe9\xff", "a" * 9000, seal(NOTE, Signer([b"another mesh"])), seal(NOTE, SIGNER)[:-4] + "AAAA"],
)
def test_a_token_that_this_mesh_did_not_write_is_none(value: str) -> None:
    assert tokens(value) is None
    assert tokens(seal(NOTE, SIGNER), signer=None) is None, "without keys nothing can be believed"
