"""A function that would show two regions two values is told apart from one that would not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sync.core.resolver_laws import broken_law


def lines(siblings: Sequence[bytes]) -> bytes:
    return b"\n".join(sorted({line for one in siblings for line in one.split(b"\n")}))


def largest(siblings: Sequence[bytes]) -> bytes:
    return max(siblings)


def numbers(siblings: Sequence[bytes]) -> bytes:
    return b"%d" % max(int(one) for one in siblings)


@pytest.mark.parametrize("resolve", [lines, largest, numbers])
def test_a_function_that_keeps_the_laws_may_merge(resolve: Callable[[Sequence[bytes]], bytes]) -> None:
    assert broken_law(resolve) is None


def counting() -> Callable[[Sequence[bytes]], bytes]:
    asked = 0

    def resolve(siblings: Sequence[bytes]) -> bytes:
        nonlocal asked
        asked += 1
        return b"%d" % asked

    return resolve


@pytest.mark.parametrize(
    ("resolve", "found"),
    [
        (b"".join, "not idempotent"),
        (lambda siblings: siblings[0], "not commutative"),
        (lambda siblings: b"many" if len(siblings) > 2 else max(siblings), "not associative"),
        (lambda siblings: max(siblings) + b"!", "not idempotent"),
        (lambda siblings: "text", "gives str"),
        (lambda siblings: None, "gives NoneType"),
        (lambda siblings: 1 / 0, "takes 0 of the samples"),
        (counting(), "not deterministic"),
    ],
)
def test_a_function_that_breaks_one_is_told_which(resolve: Any, found: str) -> None:
    said = broken_law(resolve)
    assert said is not None
    assert found in said


def test_a_function_of_values_of_its_own_is_tried_with_its_own_samples() -> None:
    def only_dates(siblings: Sequence[bytes]) -> bytes:
        if not all(one.startswith(b"20") for one in siblings):
            raise ValueError("no date")
        return max(siblings)

    assert "give it `SAMPLES`" in (broken_law(only_dates) or "")
    assert broken_law(only_dates, [b"2026-01-01", b"2027-01-01", b"2025-12-31"]) is None
