"""Each promise of the gateway is seen to be broken where it is, and nowhere else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.checking import gateway
from chaos.mesh.plan import LIMIT_BURST, LIMIT_RATE, REGIONS, SHARED_BURST, SHARED_RATE
from chaos.traffic.history import Arrival, Echo, History
from tests.unit.chaos.histories import arrival, exchange, well

CHECKS = (gateway.mixed, gateway.executed_twice, gateway.executed_nowhere, gateway.at_forbidden_region)


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_found_where_all_is_well(check: object) -> None:
    assert [*check(well())] == []  # type: ignore[operator]


def test_another_clients_answer_is_seen() -> None:
    history = well()
    history.exchanges[3] = replace(history.exchanges[3], echoed="t4")
    assert [*gateway.mixed(history)] == ["t3 in eu-west was answered with t4"]


def test_another_sockets_message_is_seen() -> None:
    history = well()
    history.echoes.append(Echo("eu-west", "s", "s 2", "eu-west-a r 2", 9.0, 9.1))
    assert len([*gateway.mixed(history)]) == 1


def test_a_post_that_was_executed_twice_is_seen_and_a_get_is_not() -> None:
    history = well()
    post, get = history.exchanges[7], history.exchanges[8]
    assert (post.method, get.method) == ("POST", "GET")
    history.arrivals += [arrival(get), arrival(post, region="us-east")]
    assert [*gateway.executed_twice(history)] == ["t7 was executed 2 times"]


def test_an_answer_of_a_backend_that_never_saw_the_request_is_seen() -> None:
    history = well()
    history.exchanges[5] = replace(history.exchanges[5], backend="us-east-b")
    assert len([*gateway.executed_nowhere(history)]) == 1


def test_a_bound_request_at_the_forbidden_region_is_seen_also_when_nobody_was_answered() -> None:
    history = well()
    history.arrivals.append(Arrival(9.0, "us-east-a", "us-east", "gw-eu-west", "GET", "/bound/x", "x"))
    history.exchanges.append(exchange("y", 9.0, region="us-east", route="bound"))
    assert len([*gateway.at_forbidden_region(history)]) == 2


def test_a_request_after_the_end_of_a_drain_is_seen_and_one_before_it_or_after_the_undrain_is_not() -> None:
    history = History()
    history.arrivals = [Arrival(at, "eu-west-a", "eu-west", "n", "GET", "/app/t", "t") for at in (9.9, 10.5, 12.1)]
    found = [*gateway.after_drain(history, [("eu-west-a", 10.0, 12.0)])]
    assert found == ["GET /app/t reached eu-west-a 0.50 s after its drain"]


def test_a_limit_that_is_kept_is_not_exceeded_and_one_that_is_not_is_by_how_much() -> None:
    history = History()
    burst = [exchange(f"a{n}", 1.0, route="limited") for n in range(LIMIT_BURST)]
    steady = [exchange(f"b{n}", 1.0 + (n + 1) / LIMIT_RATE, route="limited") for n in range(50)]
    history.exchanges = burst + steady
    assert gateway.over_limit(history)["eu-west"] == 0
    history.exchanges += [exchange(f"c{n}", 3.0, route="limited") for n in range(30)]
    assert gateway.over_limit(history)["eu-west"] > 15
    assert gateway.over_limit(history)["us-east"] == 0


def test_a_limit_of_all_nodes_is_exceeded_by_what_all_of_them_let_in() -> None:
    history = History()
    assert gateway.over_shared_limit(history) is None
    for region in REGIONS:
        history.exchanges += [exchange(f"{region}{n}", 1.0, region=region, route="shared") for n in range(SHARED_BURST)]
    found = gateway.over_shared_limit(history)
    assert found is not None
    assert 2 * SHARED_BURST - SHARED_RATE < found <= 2 * SHARED_BURST
    assert max(gateway.over_limit(history).values()) == 0


def test_requests_that_were_let_in_one_by_one_and_answered_at_once_do_not_exceed_a_limit() -> None:
    history = History()
    held = [exchange(f"a{n}", 1.0 + n / LIMIT_RATE, route="limited") for n in range(50)]
    history.exchanges = [replace(one, ended=9.0) for one in held]
    assert gateway.over_limit(history)["eu-west"] == 0


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)), max_size=30),
    st.integers(0, 3),
    st.sampled_from([0.5, 2.0, 5.0, math.inf]),
)
def test_the_worst_window_is_found_as_by_trying_all(asked: list[tuple[int, int]], burst: int, within_s: float) -> None:
    admitted = [(began / 4, (began + took) / 4) for began, took in asked]
    windows = [(start, end) for start, _ in admitted for _, end in admitted]
    held = [
        sum(start <= began and ended <= end for began, ended in admitted) - burst - 2.0 * (end - start)
        for start, end in windows
        if start <= end <= start + within_s
    ]
    assert gateway.excess(admitted, rate=2.0, burst=burst, within_s=within_s) == int(max([0.0, *held]))
