"""The page of figures says of each whether its goal was met, by the slowest round."""

from __future__ import annotations

from bench.health.page import Figure, page


def test_the_slowest_round_counts_and_figures_without_a_goal_have_none() -> None:
    met, missed = Figure("a", [1.0, 3.0, 2.0], "s", 3.0, "Note."), Figure("b", [1.0, 3.5], "s", 3.0, "Note.")
    text = page([met, missed, Figure("c", [7.0], "attempts")], {"date": "today"}, "a command")
    assert "| a | 3 | 1 s | 2 s | 3 s | 3 s | yes |" in text
    assert "| b | 2 | 1 s | 2.25 s | 3.5 s | 3 s | **no** |" in text
    assert "| c | 1 | 7 attempts | 7 attempts | 7 attempts |  |  |" in text
    assert text.count("- Note.") == 1
    assert "- date: today" in text
