"""What is counted of an expression is held against the time that it takes: the worst that is let in is bearable."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from config.core.conditions import compile_condition
from config.core.expression_cost import MAX_UNITS, cost_of


class Largest:
    """The largest request that an expression is shown, of characters that make patterns work the most."""

    def text(self, name: str) -> str:
        return "a" * 8192 if name.startswith("request.") else "a"

    def header(self, name: str) -> str | None:
        return None

    def headers(self) -> Mapping[str, str]:
        return {f"x-{number}": "a" * 327 for number in range(100)}


def seconds(text: str) -> float:
    """Of the processor, by the fastest of five."""
    condition, took = compile_condition(text), []
    for _ in range(5):
        began = time.thread_time()
        condition.holds(Largest())
        took.append(time.thread_time() - began)
    return min(took)


def filled(start: str, element: str, between: str, end: str) -> str:
    """As many elements as are let in."""
    text, more = start + element + end, start + element
    while cost_of(text) <= MAX_UNITS and len(text) < 4000:
        admitted, more = text, more + between + element
        text = more + end
    return admitted


WORST = [
    filled("", "request.path.matches('a{0,50}b')", " || ", ""),
    "request.path.matches('a{0,490}b')",
    "request.path.matches('((a{0,20}){0,20}b)')",
    r"request.path.matches(r'(\w*a?){0,15}b')",
    filled("request.headers.all(h, ", "!request.path.contains('aaaab')", " && ", ")"),
    filled("request.headers.all(h, ", "request.headers[h] != 'x'", " && ", ")"),
    filled("request.headers.all(h, ", "request == request", " && ", ")"),
    filled("size(", "request.path", " + ", ") > 3"),
    "request.headers.map(h, request.headers[h] + request.path).size() > 3",
    filled("", "request.headers.size() > 1000", " || ", ""),
    filled("[1].all(a, 2 in [", "1", ",", "]) || true"),
]


@pytest.mark.parametrize("text", WORST)
def test_the_worst_that_is_let_in_takes_no_more_than_a_hundred_plain_expressions(text: str) -> None:
    assert cost_of(text) <= MAX_UNITS
    assert seconds(text) < 100 * seconds("size(request.path) > 3")
