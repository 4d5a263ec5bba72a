"""What people notice, counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaos.checking import budget
from chaos.traffic.history import Attempt, Exchange
from tests.unit.chaos.histories import exchange, well, write


def lost(token: str, at: float, status: int | None = 502) -> Exchange:
    return replace(exchange(token, at), status=status, echoed=None, backend=None, reason="refused")


def test_what_is_rightly_sent_away_is_neither_asked_nor_failed() -> None:
    asked = [exchange("a", 1.0), lost("b", 2.0, 421), lost("c", 3.0, 429), lost("d", 4.0), lost("e", 5.0, None)]
    found = budget.of_requests(asked, idempotent=True)
    assert (found.asked, found.failed) == (3, 2)
    assert found.share == pytest.approx(2 / 3)
    assert dict(found.reasons) == {"502 refused": 1, "no answer refused": 1}


def test_requests_that_may_not_be_repeated_are_counted_apart() -> None:
    asked = [exchange("a", 1.0), replace(lost("b", 2.0), method="POST")]
    assert budget.of_requests(asked, idempotent=True).failed == 0
    assert budget.of_requests(asked, idempotent=False).failed == 1


def test_the_longest_gap_is_that_of_the_worst_region() -> None:
    quick = [exchange(f"a{n}", n * 0.5) for n in range(20)]
    slow = [exchange(f"b{n}", n * 4.0, region="us-east") for n in range(3)]
    assert budget.of_requests([*quick, *slow], idempotent=True).longest_gap_s == pytest.approx(4.0)


def test_a_gap_lasts_to_the_end_when_nothing_succeeds_any_more() -> None:
    assert budget.longest_gap([(0.0, True), (1.0, True), (2.0, False), (9.0, False)]) == pytest.approx(8.0)
    assert budget.longest_gap([]) == 0.0


def test_a_write_counts_by_its_first_try_and_one_that_was_refused_not_at_all() -> None:
    retried = write("a:1", "k")
    retried.attempts = [Attempt("eu-west", 11.0, 11.1, 503, "x"), Attempt("us-east", 12.0, 12.1, 201)]
    refused = write("b:1", "k")
    refused.refused = "421 region_may_not_hold"
    found = budget.of_writes([retried, refused, write("c:1", "k", at=12.0), write("d:1", "k", at=30.0)], (10.0, 20.0))
    assert (found.asked, found.failed, dict(found.reasons)) == (2, 1, {"503 x": 1})


def test_messages_that_did_not_come_back_are_counted() -> None:
    history = well()
    history.echoes.append(replace(history.echoes[0], got=None))
    assert (budget.spread(history).asked, budget.spread(history).failed) == (2, 1)
