"""Sessions that stay, that move for a reason, and that go astray."""

from __future__ import annotations

from dataclasses import replace

from chaos.checking import sticky
from chaos.mesh.plan import HEALTH_BOUND_S
from chaos.traffic.history import Doubt, Exchange, Gone, History
from tests.unit.chaos.histories import exchange


def visit(at: float, backend: str, *, client: str = "c", region: str = "eu-west") -> Exchange:
    return replace(exchange(f"{client}-{at}", at, region=region, route="kept"), backend=backend, client=client)


def history(*visits: Exchange) -> History:
    found = History()
    found.exchanges = [exchange("none", 0.0), *visits]
    return found


MOVED = history(visit(1.0, "eu-west-a"), visit(2.0, "eu-west-a"), visit(3.0, "eu-west-b"), visit(4.0, "eu-west-b"))


def test_sessions_that_stay_are_counted_and_each_has_an_endpoint_of_its_own() -> None:
    found = sticky.sessions(history(visit(1.0, "eu-west-a"), visit(1.0, "us-east-b", client="d")), [])
    assert (found.clients, found.answers, found.moved, found.astray) == (2, 2, 0, ())


def test_a_session_that_moves_although_its_endpoint_stands_is_astray() -> None:
    (said,) = sticky.sessions(MOVED, []).astray
    assert said == "c had its session at eu-west-a and was served by eu-west-b through eu-west"


def test_one_whose_endpoint_was_gone_for_its_gateway_or_for_all_has_moved() -> None:
    for seen_from in ("eu-west", None):
        found = sticky.sessions(MOVED, [Gone("eu-west-a", 2.5, 3.5, seen_from)])
        assert (found.moved, found.doubted, found.astray) == (1, 0, ())


def test_that_another_endpoint_was_gone_or_this_one_for_another_gateway_or_at_another_time_is_no_reason() -> None:
    elsewhere = Gone("eu-west-b", 2.5, 3.5)
    others = Gone("eu-west-a", 2.5, 3.5, "us-east")
    later = Gone("eu-west-a", 3.2, 9.0)
    long_ago = Gone("eu-west-a", -9.0, 2.9 - HEALTH_BOUND_S)
    assert len(sticky.sessions(MOVED, [elsewhere, others, later, long_ago]).astray) == 1


def test_a_session_that_goes_back_to_where_it_was_needs_another_reason() -> None:
    back = history(*(visit(float(at), f"eu-west-{'ab'[at % 2]}") for at in range(3)))
    found = sticky.sessions(back, [Gone("eu-west-a", 0.5, 0.6)])
    assert (found.moved, len(found.astray)) == (1, 1)


def test_what_only_its_node_said_is_a_reason_and_counted_apart() -> None:
    MOVED.doubts = [Doubt(2.6, "eu-west", "eu-west-a")]
    found = sticky.sessions(MOVED, [])
    assert (found.moved, found.doubted, found.astray) == (1, 1, ())
    MOVED.doubts = [Doubt(2.6, "us-east", "eu-west-a"), Doubt(2.6, "eu-west", "eu-west-b")]
    assert len(sticky.sessions(MOVED, []).astray) == 1


def test_an_answer_that_is_none_says_nothing_of_the_session() -> None:
    failed = replace(visit(2.0, "nobody"), status=502, backend=None)
    assert sticky.sessions(history(visit(1.0, "eu-west-a"), failed, visit(3.0, "eu-west-a")), []).astray == ()


def test_a_move_that_took_as_long_as_a_try_in_vain_is_counted_apart_too() -> None:
    late = replace(visit(2.0, "eu-west-b"), ended=3.0)
    found = sticky.sessions(history(visit(1.0, "eu-west-a"), late), [])
    assert (found.moved, found.doubted, found.astray) == (1, 1, ())
