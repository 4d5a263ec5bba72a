"""The figure table."""

from __future__ import annotations

from chaos.table import block, cell, written
from tests.unit.chaos.results_of_runs import result


def test_a_cell_is_minimum_median_maximum_or_one_figure_or_a_dash() -> None:
    assert cell([0.1, None, 0.3, 0.2], "{:.1f}") == "0.1 / 0.2 / 0.3"
    assert cell([0.0, 0.0], "{:.0f}") == "0"
    assert cell([None], "{:.0f}") == "-"


def test_columns_say_how_many_runs_they_are_made_of() -> None:
    lines = [*block(["latency"], {"latency": [result(number=1), result(number=2)]})]
    assert lines[0] == "| figure | latency (n=2) |"
    assert "| 2 acknowledged writes lost | 0 |" in lines
    assert "| 9 seen in another region, p50 s | 0.10 / 0.15 / 0.20 |" in lines


def test_the_report_names_what_broke_and_where_it_was_measured() -> None:
    text = written(
        [result(), result("down", is_kept=False, lost=1)],
        order=["down", "latency", "unmade"],
        facts={"Python": "3.11"},
        words={"down": "backends are gone"},
    )
    assert "2 runs, 1 of them with a broken promise; 1 of 2 promises kept." in text
    assert "BROKEN in run 1: no write is lost (1 of 12 writes: a:1)" in text
    assert "- seeds: 1" in text
    assert "- Python: 3.11" in text
    assert "unmade" not in text
