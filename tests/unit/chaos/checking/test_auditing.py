"""C13 is seen to be broken where it is."""

from __future__ import annotations

from dataclasses import replace

from chaos.checking import auditing
from chaos.traffic.history import Exchange, History, Note, Record
from tests.unit.chaos.histories import arrival, exchange

CHECKS = (auditing.unrecorded, auditing.invented, auditing.refusals_unrecorded)
SENT = Record("gw-eu-west", "transfer", "r1", "us-east")
DENIED = Record("gw-us-east", "denied", "r2", "")


def refused() -> Exchange:
    return replace(exchange("t2", 2.0, region="us-east", route="bound"), status=421, request_id="r2")


def crossed() -> History:
    """One request across a border, one within, one refused; then a fault."""
    history = History()
    across = replace(exchange("t1", 1.0), request_id="r1", backend="us-east-a")
    within = replace(exchange("t3", 3.0), request_id="r3")
    history.exchanges = [across, within, refused()]
    history.arrivals = [
        replace(arrival(across, region="us-east"), request_id="r1"),
        replace(arrival(within), request_id="r3"),
    ]
    history.records = [SENT, DENIED]
    history.notes = [Note(10.0, "a fault", "fault"), Note(20.0, "healed", "healed")]
    return history


def test_nothing_is_found_where_all_is_well() -> None:
    assert [found for check in CHECKS for found in check(crossed())] == []


def test_what_crossed_without_a_record_or_twice_with_one_is_seen() -> None:
    history = crossed()
    history.records.remove(SENT)
    assert [*auditing.unrecorded(history)] == ["gw-eu-west sent r1 to us-east 1 times and recorded 0"]
    history = crossed()
    history.arrivals.append(history.arrivals[0])
    assert [*auditing.unrecorded(history)] == ["gw-eu-west sent r1 to us-east 2 times and recorded 1"]


def test_a_record_too_many_is_seen_before_the_fault_and_an_attempt_that_a_fault_swallowed_is_none() -> None:
    history = crossed()
    history.records.append(SENT)
    assert len([*auditing.invented(history)]) == 1
    history.exchanges = [replace(one, began=12.0, ended=12.1) for one in history.exchanges]
    assert [*auditing.invented(history)] == []


def test_a_refusal_without_a_record_or_with_two_is_seen() -> None:
    for records in ([SENT], [SENT, DENIED, DENIED]):
        history = crossed()
        history.records = records
        assert len([*auditing.refusals_unrecorded(history)]) == 1
