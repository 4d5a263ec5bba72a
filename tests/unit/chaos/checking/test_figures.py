"""The figures of one run."""

from __future__ import annotations

import pytest

from chaos.checking.figures import ROWS, figures, quantile
from chaos.traffic.history import History
from tests.unit.chaos.checking.test_promises import FACTS
from tests.unit.chaos.histories import holds, well


def test_every_row_has_its_figure_and_every_figure_its_row() -> None:
    assert figures(well(), FACTS).keys() == ROWS.keys()


def test_they_say_what_the_history_says() -> None:
    history = well()
    holds(history, "notes", "heap/1", "a:1")
    found = figures(history, FACTS)
    assert (found["writes"], found["writes_ok"], found["lost"]) == (6, 6, 3)  # b:1, in three regions
    assert found["lost_bound"] == pytest.approx(0.5)
    assert (found["visible_p50"], found["conflicts"], found["requests"]) == (0.2, 1, len(history.exchanges))
    assert (found["sticky_moved"], found["sticky_astray"], found["causal"], found["unrecorded"]) == (0, 0, 0, 0)
    assert found["over_shared_limit"] is None


def test_what_a_run_cannot_give_is_nothing_and_not_zero() -> None:
    found = figures(History(), FACTS)
    assert [found[row] for row in ("lost_bound", "visible_p50", "read_failed", "write_ok")] == [None] * 4


def test_a_quantile_is_the_nearest_rank() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert quantile([1.0], 0.95) == 1.0
    assert quantile([], 0.5) is None
