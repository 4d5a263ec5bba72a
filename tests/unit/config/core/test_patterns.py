"""An expression that could hold the event loop is refused, and what is allowed really ends in time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.core.patterns import PatternRefused, check_replacement, compiled, longest, steps

PATH_STEPS = 1 << 20


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*$",
        "(a|aa)+$",
        "(.*a){20}",
        "(.*a)*",
        "(x*)*",
        "(a?)*b",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(?:[a-z]x|[a-m].)+!",
        "([^/]+/?)+$",
    ],
)
def test_a_repeat_that_is_ambiguous_in_itself_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused, match="repeat"):
        steps(compiled(pattern), 100)


@pytest.mark.parametrize("pattern", ["a(?=b)", "(?<!a)b", r"(.)\1", "(?>a+)b", "a++b", "(a)(?(1)b|c)", "(?i:a)b"])
def test_what_cannot_be_judged_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        steps(compiled(pattern), 100)


@pytest.mark.parametrize("pattern", ["(", "[", "*", "a{2,1}", "(?P<a"])
def test_what_is_no_expression_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused, match=r".*"):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "size", "most"),
    [
        ("^/v1/(.*)$", 10_000, 10_000),
        ("^/([^/]+)/([^/]+)/(.*)$", 10_000, 10_000),
        ("^(?:/[a-z0-9]+)/id$", 10_000, 10_000),
        ("http://", 1_000, 7_007),
        ("(?i)foo|bar", 1_000, 3_003),
        ("^/old$", 10_000, 4),
    ],
)
def test_one_way_through_the_bytes_is_linear(pattern: str, size: int, most: int) -> None:
    assert steps(compiled(pattern), size) <= most


@pytest.mark.parametrize("pattern", ["^/(.*)/items/(.*)$", "([0-9]+)-x", "<a href=[^>]*>"])
def test_two_ways_through_the_bytes_are_quadratic(pattern: str) -> None:
    assert 900**2 <= steps(compiled(pattern), 1000) <= 1100**2


def test_many_optional_parts_are_counted_as_the_ways_that_they_are() -> None:
    assert steps(compiled("a?" * 25 + "a" * 25), 50) >= 2**24


def test_the_longest_input_is_the_last_that_stays_within_its_steps() -> None:
    pattern = compiled("^/(.*)/x/(.*)$")
    most = longest(pattern, most=8192, steps_allowed=PATH_STEPS)
    assert steps(pattern, most) <= PATH_STEPS < steps(pattern, most + 1)
    assert longest(compiled("^/(.*)$"), most=8192, steps_allowed=PATH_STEPS) == 8192


ATOMS = st.sampled_from(["a", "b", "[ab]", ".", "[^a]", "(?:ab)", "(?:a|b)", "(?:a|ab)"])
REPEATED = st.tuples(ATOMS, st.sampled_from(["", "*", "+", "?", "{1,3}", "*?"])).map("".join)
PATTERNS = st.tuples(
    st.sampled_from(["", "^"]), st.lists(REPEATED, min_size=1, max_size=6), st.sampled_from(["", "$", "c"])
).map(lambda parts: parts[0] + "".join(parts[1]) + parts[2])


@settings(max_examples=300, deadline=None)
@given(pattern=PATTERNS, unit=st.sampled_from(["a", "b", "ab", "aab", "ba"]))
def test_no_pattern_that_is_allowed_takes_long_over_input_of_its_length(pattern: str, unit: str) -> None:
    try:
        expression = compiled(pattern)
        most = longest(expression, most=4096, steps_allowed=PATH_STEPS)
    except PatternRefused:
        return
    text = (unit * most)[:most].encode()
    began = time.perf_counter()
    expression.sub(b"", text)
    assert time.perf_counter() - began < 1.0  # a million steps take a few hundredths of that


@pytest.mark.parametrize("replacement", [r"\2", r"\g<x>", "a\r\nb", "a b", "\\n", "\\", "\x00"])
def test_a_replacement_names_groups_that_are_there_and_holds_no_end_of_line(replacement: str) -> None:
    with pytest.raises(PatternRefused):
        check_replacement(compiled("(a)"), replacement, allowed=re.compile(rb"[!-\[\]-~]+"))


@pytest.mark.parametrize("replacement", [r"\1", r"/\g<name>/\g<1>", "", "/x?y=1"])
def test_a_replacement_of_text_and_groups_is_taken(replacement: str) -> None:
    check_replacement(compiled("(?P<name>a)"), replacement, allowed=re.compile(rb"[!-\[\]-~]+"))
