"""Fields that go, fields that come, and what an answer says of its body."""

from __future__ import annotations

from config.models.shaping import HeaderChanges
from gateway.core.header_rules import HeaderRules, facts_of, header_rules, with_lines


def test_nothing_asked_for_is_no_rule() -> None:
    assert header_rules(HeaderChanges()) is None


def test_set_replaces_null_removes_append_adds() -> None:
    rules = header_rules(HeaderChanges(set={"X-A": "1", "X-B": None}, append={"X-C": "3"}, remove=("x_d",)))
    assert rules is not None
    fields = b"x-a: old\r\nX_A: old\r\nx-b: old\r\nX-C: old\r\nX-D: old\r\nX-E: old\r\n"
    assert rules.apply(fields) == b"X-C: old\r\nX-E: old\r\nX-A: 1\r\nX-C: 3\r\n"


def test_our_own_lines_win_over_the_operators() -> None:
    rules = with_lines(
        HeaderRules((b"x",), b"Accept-Encoding: br\r\nX: 1\r\n"), (b"A: 2\r\n",), dropped=(b"accept-encoding",)
    )
    assert rules.apply(b"Accept-Encoding: gzip\r\nX: 0\r\n") == b"X: 1\r\nA: 2\r\n"
    assert with_lines(None, (b"A: 2\r\n",), dropped=(b"b",)).apply(b"B: 1\r\n") == b"A: 2\r\n"


def test_facts_are_found_wherever_they_stand_and_joined() -> None:
    fields = b'ETag: "V"\r\nX-Vary: no\r\nvary: A\r\nVARY: B \r\nX: content-type: no\r\nContent-Type:text/HTML\r\n'
    assert facts_of(fields) == {b"etag": b'"V"', b"vary": b"A, B", b"content-type": b"text/HTML"}
    assert facts_of(b"") == {}
