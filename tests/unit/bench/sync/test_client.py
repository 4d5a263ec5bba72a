"""A polling observer asks for the first keys that it has not seen, until it has seen all."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.sync.client import WINDOW, polled


async def test_keys_are_told_once_each_in_whatever_order_they_appear() -> None:
    keys = [f"k{number:03d}" for number in range(2 * WINDOW)]
    asked: list[Sequence[str]] = []

    async def present(some: Sequence[str]) -> Collection[str]:
        asked.append(some)
        return [] if len(asked) % 2 else [*some[1:5], some[0]] if len(some) > 5 else some

    told = [key async for found in polled(present, keys) for key in found]
    assert sorted(told) == keys
    assert max(map(len, asked)) == WINDOW
    assert asked[2][0] == "k005", "what was seen is not asked for again"
