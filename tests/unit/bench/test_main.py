from __future__ import annotations

from pathlib import Path

import pytest

from bench.__main__ import QUICK, chosen, effort_of, everyone, options, shortened


def test_contestants_are_chosen_by_name_whatever_its_case() -> None:
    assert [one.name for one in chosen(everyone([]), "envoy, tidegate")] == ["Tidegate", "Envoy"]


def test_an_unknown_contestant_is_named_with_those_that_exist() -> None:
    with pytest.raises(SystemExit, match=r"found apache, expected some of caddy, envoy"):
        chosen(everyone([]), "apache")


def test_another_tree_is_a_contestant_of_its_own() -> None:
    assert everyone([Path("../other")])[1].name == "Tidegate other"


def test_with_a_compiled_copy_that_is_the_one_judged_and_the_source_stands_beside_it() -> None:
    assert [one.name for one in everyone([], Path("../compiled"))][:2] == ["Tidegate", "Tidegate from source"]


def test_quick_may_be_made_longer() -> None:
    effort = effort_of(options(["--quick", "--rounds", "9"]))
    assert (effort.rounds, effort.seconds) == (9, QUICK.seconds)


def test_a_command_is_shown_without_paths_of_the_machine() -> None:
    assert shortened(f"{Path.cwd()}/bench/floor.py /tmp/x/y", Path("/tmp/x")) == "bench/floor.py RUN/y"  # noqa: S108
