"""What people and machines are told of an experiment."""

from __future__ import annotations

from chaos import lines
from chaos.experiments import ALL
from tidegate.demo.promises import Promise

KEPT = Promise("no request fails", is_kept=True, found="412 requests")
BROKEN = Promise("it is left within 1.7 s", is_kept=False, found="not at all")


def test_each_promise_is_one_line_that_says_what_was_found() -> None:
    assert list(lines.of((KEPT, BROKEN))) == [
        "  kept    no request fails (412 requests)",
        "  BROKEN  it is left within 1.7 s (not at all)",
    ]


def test_the_closing_line_counts_both() -> None:
    assert lines.closing_line((KEPT, BROKEN, KEPT), took_s=12.4) == "2 promises kept, 1 broken, in 12 s"


def test_a_broken_promise_or_none_at_all_fails_the_run() -> None:
    assert lines.exit_code((KEPT,)) == 0
    assert lines.exit_code((KEPT, BROKEN)) == 1
    assert lines.exit_code(()) == 1


def test_every_hypothesis_says_given_when_then_in_one_line_and_has_a_name_of_its_own() -> None:
    headlines = [lines.headline(hypothesis) for hypothesis in ALL]
    assert all(
        ": given " in line and "; when " in line and "; then " in line and "\n" not in line for line in headlines
    )
    assert len({hypothesis.name for hypothesis in ALL}) == len(ALL)
