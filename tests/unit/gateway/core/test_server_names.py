from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.server_names import ServerNames

NAMES = ServerNames([["first.test"], ["a.test", "*.shop.test"], ["*.a.test", "b.a.test"], ["a.test"]])


@pytest.mark.parametrize(
    ("asked", "position", "why"),
    [
        ("first.test", 0, "by its own name"),
        ("a.test", 1, "of two with one name the first"),
        ("A.TEST", 1, "names know no case"),
        ("a.test.", 1, "nor a final dot"),
        ("x.shop.test", 1, "by wildcard"),
        ("b.a.test", 2, "exactly, beside a wildcard"),
        ("c.a.test", 2, "by wildcard beside an exact name"),
        ("shop.test", 0, "a wildcard does not stand for nothing"),
        ("x.y.shop.test", 0, "nor for two labels"),
        (".shop.test", 0, "nor for an empty one"),
        ("*.shop.test", 1, "a star asked for is a label like others"),
        ("unknown.test", 0, "the first for an unknown name"),
        ("", 0, "the first for an empty name"),
        (None, 0, "the first for a client that names none"),
    ],
)
def test_the_certificate_that_is_shown(asked: str | None, position: int, why: str) -> None:
    assert NAMES.choose(asked) == position, why


@pytest.mark.parametrize("name", ["*", "*.", "a*.test", "x.*.test", "*.*.test", "**.test"])
def test_a_star_elsewhere_than_as_the_first_label_stands_for_nothing(name: str) -> None:
    names = ServerNames([["first.test"], [name]])
    for asked in ("a.test", "abc.test", "x.y.test", "a.b.test", "test", name.replace("*", "z")):
        assert names.choose(asked) == 0


def test_certificates_without_names_leave_the_first_to_all() -> None:
    assert ServerNames([[], []]).choose("a.test") == 0


def naive(certificates: list[list[str]], asked: str) -> int:
    """RFC 9525 section 6.3, label by label."""
    labels = asked.split(".")
    for position, names in enumerate(certificates):
        if asked in names:
            return position
    for position, names in enumerate(certificates):
        for name in names:
            pattern = name.split(".")
            if pattern[0] == "*" and len(pattern) == len(labels) > 1 and labels[0] and pattern[1:] == labels[1:]:
                return position
    return 0


label = st.sampled_from(["a", "b", "c"])
host = st.lists(label, min_size=1, max_size=4).map(".".join)
pattern = host | host.map(lambda name: "*." + name)


@given(st.lists(st.lists(pattern, max_size=4), min_size=1, max_size=4), host)
def test_it_chooses_as_a_reader_of_the_standard_would(certificates: list[list[str]], asked: str) -> None:
    assert ServerNames(certificates).choose(asked) == naive(certificates, asked)


@given(st.text(string.printable, max_size=300))
def test_any_name_at_all_gets_a_certificate(asked: str) -> None:
    assert NAMES.choose(asked) in range(4)
