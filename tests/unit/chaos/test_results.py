"""What a run leaves behind is read again as it was."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from chaos.results import read, story
from tests.unit.chaos.histories import well
from tests.unit.chaos.results_of_runs import result


def test_what_is_written_is_read_and_what_is_no_result_is_left_out(tmp_path: Path) -> None:
    result("latency", 1).write(tmp_path)
    result("down", 2).write(tmp_path)
    (tmp_path / "odd.json").write_text('{"experiment": 1}')
    (tmp_path / "torn.json").write_text('{"experiment"')
    found = read(tmp_path)
    assert [(one.experiment, one.number) for one in found] == [("down", 2), ("latency", 1)]
    assert found[1].promises == result().promises
    assert asdict(found[1])["figures"] == asdict(result())["figures"]


def test_a_run_without_a_promise_has_kept_none() -> None:
    assert result().is_kept
    assert not result(is_kept=False).is_kept
    assert not replace(result(), promises=()).is_kept


def test_the_story_counts_each_second_by_region_and_puts_notes_in_order() -> None:
    history = well(60)
    history.exchanges[1] = replace(history.exchanges[1], status=502)
    seconds, notes = story(history)
    assert sum(second[0] for lane in seconds.values() for second in lane) == len(history.exchanges) - 1
    assert sum(second[1] for lane in seconds.values() for second in lane) == 1
    assert sum(second[2] for lane in seconds.values() for second in lane) == len(history.operations)
    assert [kind for _, kind, _ in notes] == ["fault", "healed"]
