"""Known bugs, in a copy of the product."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.planted import BUGS, PlaceGone, build, missed
from tests.architecture.tree import REPOSITORY
from tidegate.demo.promises import Promise


def test_every_bug_has_its_place_in_the_sources_and_the_copy_can_be_read(tmp_path: Path) -> None:
    copied = build(REPOSITORY, tmp_path / "build")
    for bug in BUGS:
        text = (copied / bug.file).read_text()
        assert text != (REPOSITORY / bug.file).read_text()
        ast.parse(text)


def test_a_bug_whose_place_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlaceGone, match=r"found 0 places in gateway/core/gcra\.py"):
        build(REPOSITORY, tmp_path / "build", [replace(BUGS[2], good="what nobody wrote")])


def test_a_bug_that_breaks_no_promise_is_missed() -> None:
    broken = [Promise(start, is_kept=False, found="") for bug in BUGS[1:] for start in bug.breaks]
    assert [*missed(broken)] == [f"{BUGS[0].name}: not seen by the promise {BUGS[0].breaks[0]!r}"]
