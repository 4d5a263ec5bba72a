from __future__ import annotations

import pytest

from sync.core.levels import Durability, Mode, WriteLevel, asked_for, reached, regions_needed, regions_to_ask, satisfies


@pytest.mark.parametrize(
    ("mode", "level", "wanted"),
    [
        ("async", "local", "local"),
        ("async", "majority", "majority"),
        ("hybrid", "local", "one"),
        ("hybrid", "majority", "majority"),
        ("sync", "local", "global"),
        ("hybrid", "global", "global"),
    ],
)
def test_the_stronger_of_mode_and_level_wins(mode: Mode, level: WriteLevel, wanted: Durability) -> None:
    assert asked_for(mode, level) == wanted


@pytest.mark.parametrize(
    ("wanted", "permitted", "needed"),
    [
        ("local", 5, 1),
        ("one", 5, 2),
        ("one", 1, 2),
        ("majority", 1, 1),
        ("majority", 3, 2),
        ("majority", 4, 3),
        ("global", 4, 4),
    ],
)
def test_regions_that_must_hold_a_write(wanted: Durability, permitted: int, needed: int) -> None:
    assert regions_needed(wanted, permitted=permitted) == needed


@pytest.mark.parametrize("permitted", range(1, 8))
def test_what_is_reached_is_what_was_needed_for_it(permitted: int) -> None:
    for confirmed in range(1, permitted + 1):
        word = reached(confirmed, permitted=permitted)
        for wanted in ("local", "one", "majority", "global"):
            if confirmed >= regions_needed(wanted, permitted=permitted):
                assert satisfies(word, wanted)
        assert confirmed >= regions_needed(word, permitted=permitted)


def test_so_many_regions_meet_every_majority() -> None:
    for permitted in range(1, 9):
        majority = regions_needed("majority", permitted=permitted)
        assert regions_to_ask(permitted) + majority > permitted
        assert regions_to_ask(permitted) - 1 + majority <= permitted, "and none more"
