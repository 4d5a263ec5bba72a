"""The report says kept or BROKEN for each promise, in lines and in JSON."""

from __future__ import annotations

import json

from tidegate.demo.promises import Promise
from tidegate.demo.report import Played, document, lines, verdict

KEPT = Promise("no idempotent request fails", is_kept=True, found="212 requests")
BROKEN = Promise("nothing is sent to it", is_kept=False, found="3 requests sent there")
GOOD = Played("Calm", "212 requests: 212 answered, none failed", (KEPT,), 3.2)
BAD = Played("A backend dies", "248 requests", (KEPT, BROKEN), 5.0)


def test_each_promise_has_a_line_and_the_sentence_comes_last() -> None:
    assert list(lines(BAD)) == [
        "  kept    no idempotent request fails (212 requests)",
        "  BROKEN  nothing is sent to it: 3 requests sent there",
        "  248 requests.",
    ]


def test_the_verdict_counts_promises() -> None:
    assert verdict([GOOD]) == "all 1 promises kept in 3 s"
    assert verdict([GOOD, BAD]) == "1 of 3 promises BROKEN in 8 s"


def test_the_document_holds_the_same() -> None:
    told = json.loads(document([GOOD, BAD], is_complete=True))
    assert (told["kept"], told["complete"]) == (False, True)
    assert told["acts"][1]["promises"][1] == {
        "promise": "nothing is sent to it",
        "kept": False,
        "found": "3 requests sent there",
    }


def test_a_play_cut_short_has_not_kept_its_promises() -> None:
    assert json.loads(document([GOOD], is_complete=True))["kept"]
    assert not json.loads(document([GOOD], is_complete=False))["kept"]
