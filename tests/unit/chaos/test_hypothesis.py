"""An experiment that waits in vain has found something out too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chaos.hypothesis import Hypothesis
from chaos.rig import Rig
from tests.unit.chaos.rigs import SETTING, idle_rig
from tidegate.demo.promises import Promise
from tidegate.demo.waiting import NotInTimeError


def hypothesis(promises: Sequence[Promise], *, late: NotInTimeError | None = None) -> Hypothesis:
    async def script(_: Rig) -> Sequence[Promise]:
        if late is not None:
            raise late
        return promises

    return Hypothesis("name", "a thing", "it breaks", "nothing is lost", SETTING, script)


async def test_what_the_script_promises_comes_first_and_then_what_must_always_hold(tmp_path: Path) -> None:
    kept = Promise("nothing is lost", is_kept=True, found="3 requests")
    first, last = await hypothesis((kept,)).try_on(idle_rig(tmp_path))
    assert first == kept
    assert last.text.startswith("the node runs on")


async def test_an_effect_that_never_comes_is_a_broken_promise(tmp_path: Path) -> None:
    late = NotInTimeError("the node says that b is down", 15.0)
    first, _ = await hypothesis((), late=late).try_on(idle_rig(tmp_path))
    assert first == Promise("the node says that b is down", is_kept=False, found="not within 15.0 s")
