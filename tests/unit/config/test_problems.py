"""A problem is one line that an editor can jump to."""

from __future__ import annotations

import pytest

from config.problems import ConfigurationError, KeyPath, Place, in_order, problem, written


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "(file)"),
        (("node",), "node"),
        (("services", 0, "health_check", "interval"), "services[0].health_check.interval"),
        (("tenants", "a b"), 'tenants["a b"]'),
        (("tenants", "line\nbreak"), 'tenants["line\\nbreak"]'),
        (("", "x"), '[""].x'),
    ],
)
def test_a_path_is_written_as_people_write_it(path: KeyPath, text: str) -> None:
    assert written(path) == text


def test_a_problem_says_where_what_and_what_instead() -> None:
    one = problem(Place("t.yaml", 10, 13), ("routes", 0, "weight"), '"many"', "a whole number")
    assert str(one) == 't.yaml:10:13 routes[0].weight: found "many", expected a whole number'


def test_a_problem_of_the_environment_has_no_line() -> None:
    one = problem(Place("environment variable TIDEGATE_NODE__ID", 0, 0), ("node", "id"), "5", "text")
    assert str(one) == "environment variable TIDEGATE_NODE__ID node.id: found 5, expected text"


def test_problems_come_from_top_to_bottom_then_the_environment_each_once() -> None:
    last = problem(Place("environment variable A", 0, 0), (), "a", "b")
    second = problem(Place("t.yaml", 10, 1), (), "a", "b")
    first = problem(Place("t.yaml", 9, 30), (), "a", "b", "warning")
    assert in_order([last, second, first, second]) == (first, second, last)


def test_an_error_reads_as_all_its_problems() -> None:
    one = problem(Place("t.yaml", 2, 1), ("b",), "x", "y")
    other = problem(Place("t.yaml", 1, 1), ("a",), "x", "y")
    error = ConfigurationError([one, other])
    assert error.problems == (other, one)
    assert str(error) == "t.yaml:1:1 a: found x, expected y\nt.yaml:2:1 b: found x, expected y"
