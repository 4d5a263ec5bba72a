"""How long an expression may take is counted before it runs; tests/integration/config holds the count against time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from config.core.conditions import ConditionFailed, ConditionRefused, compile_condition
from config.core.expression_cost import MAX_UNITS, CostUnknown, cost_of, states


@pytest.mark.parametrize(
    "text",
    [
        " || ".join(["request.path.matches('(((a{9}){9}){9})b')"] * 80),
        "request.path.matches('a{0,1000}b')",
        "request.headers.all(h, size(" + "+".join(["request.path"] * 280) + ") > 3)",
        "[" + ",".join(["1"] * 950) + "].all(a, 2 in [" + ",".join(["1"] * 950) + "] == false)",
        "[" + ",".join(["1"] * 900) + "].all(a, " + " && ".join(["!request.path.matches('(a|b)*c')"] * 55) + ")",
        r"request.headers.exists(h, h.matches('\\w'))",
    ],
)
def test_what_took_seconds_is_refused(text: str) -> None:
    with pytest.raises(ConditionRefused, match="steps, expected at most"):
        compile_condition(text)


@pytest.mark.parametrize(
    "text",
    [
        "request.path.matches(request.query)",
        "request.path.matches('a' + 'b')",
        r"request.path.matches('\u0061')",
    ],
)
def test_a_pattern_must_be_written_out(text: str) -> None:
    with pytest.raises(CostUnknown):
        cost_of(text)
    with pytest.raises(ConditionRefused, match="pattern"):
        compile_condition(text)


@pytest.mark.parametrize(
    "text",
    [
        "request.path.matches('^/v[0-9]+/users/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",
        r"request.host.matches('^(www|api)\\.example\\.(com|org)$') && size(request.query) > 3",
        "request.headers.exists(h, h.startsWith('x-debug-') && request.headers[h] != '')",
        "['GB', 'IE', 'FR'].exists(c, c == client.country) || client.ip.startsWith('81.')",
        "request.headers.exists(h, h.matches('^x-'))",
    ],
)
def test_what_people_write_is_let_in(text: str) -> None:
    assert cost_of(text) <= MAX_UNITS
    compile_condition(text)


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("", 1),
        ("abc", 3),
        ("^a|b$", 2),
        ("[abc]{8}", 8),
        ("[^a]", 4),
        ("[]a]b", 2),
        (r"[a\]]b", 26),
        (r"\.", 1),
        (r"\d{2}", 50),
        (r"\p{Greek}x", 26),
        ("a{2,}", 2),
        ("a{2,5}", 5),
        ("a{x", 3),
        ("((a{9}){9}){9}", 729),
        ("(a|bb)*", 3),
        ("a)b", 3),
    ],
)
def test_states_are_counted_with_repetitions_written_out(pattern: str, count: int) -> None:
    assert states(pattern) == count


class Request:
    """Of texts that do not matter."""

    def text(self, name: str) -> str:
        return name

    def header(self, name: str) -> str | None:
        return None


def test_a_request_with_more_headers_than_are_counted_on_has_no_answer() -> None:
    class Many(Request):
        def headers(self) -> Mapping[str, str]:
            return {f"x-{number}": "a" for number in range(101)}

    class Long(Request):
        def headers(self) -> Mapping[str, str]:
            return {f"x-{number}": "a" * 4096 for number in range(9)}

    condition = compile_condition("size(request.path) > 3")
    for subject in (Many(), Long()):
        with pytest.raises(ConditionFailed, match="more than"):
            condition.holds(subject)
