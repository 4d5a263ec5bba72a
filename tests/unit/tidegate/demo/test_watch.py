"""What nodes tell is read into views, and what changes between two views is news."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tidegate.demo.setting import PORTS_NEEDED, plan
from tidegate.demo.watch import NodeView, Verdict, Watch, changes, node_view

PLAN = plan(range(20_000, 20_000 + PORTS_NEEDED), directory=Path("/somewhere"))
ENDPOINT = PLAN.backend("eu-west-1").endpoint
NAMES = {ENDPOINT: "eu-west-1"}
WELL = NodeView(
    "gw-eu-west",
    is_reachable=True,
    version=3,
    endpoints={ENDPOINT: Verdict("up", "http 200", 100.0)},
    regions={"eu-west": Verdict("up", "2 of 2", 100.0)},
    processes={"control": 10, "worker 0": 11},
)


def news(before: NodeView, after: NodeView) -> list[tuple[str, bool]]:
    return list(changes(before, after, NAMES))


def test_where_nothing_changed_there_is_no_news() -> None:
    assert news(WELL, WELL) == []


def test_first_acquaintance_is_no_news() -> None:
    assert news(NodeView("gw-eu-west"), WELL) == []
    assert news(replace(WELL, endpoints={ENDPOINT: Verdict("untested")}), WELL) == []


def test_a_backend_that_dies_is_bad_news_and_one_that_returns_is_good() -> None:
    ill = replace(WELL, endpoints={ENDPOINT: Verdict("down", "connection refused", 105.0)})
    assert news(WELL, ill) == [("eu-west-1 down: connection refused", True)]
    assert news(ill, WELL) == [("eu-west-1 up: http 200", False)]


def test_an_endpoint_of_nobody_we_know_is_called_by_its_id() -> None:
    other = replace(WELL, endpoints={"api/x/1": Verdict("up")})
    assert news(other, replace(WELL, endpoints={"api/x/1": Verdict("down", "r")})) == [("api/x/1 down: r", True)]


def test_a_region_that_is_degraded_is_bad_news() -> None:
    ill = replace(WELL, regions={"eu-west": Verdict("degraded", "1 of 2", 105.0)})
    assert news(WELL, ill) == [("region eu-west degraded", True)]


def test_a_node_that_stops_answering_and_one_that_answers_again_are_news() -> None:
    silent = replace(WELL, is_reachable=False)
    assert news(WELL, silent) == [("admin API is silent", True)]
    assert news(silent, WELL) == [("admin API answers again", False)]


def test_a_replaced_process_is_news() -> None:
    replaced = replace(WELL, processes={"control": 10, "worker 0": 22})
    assert news(WELL, replaced) == [("worker 0 replaced by 22", False)]


def test_a_process_that_is_gone_and_its_replacement_are_both_news() -> None:
    gone = replace(WELL, processes={"control": 10})
    assert news(WELL, gone) == [("worker 0 is gone", True)]
    assert news(gone, WELL) == [("worker 0 replaced by 11", False)]


def test_a_status_is_read_into_a_view() -> None:
    status = {
        "version": 3,
        "region_rtts": {"eu-west": 0.001},
        "endpoints": [{"endpoint": ENDPOINT, "health": "up", "reason": "http 200", "since": 100.0, "attempts": 7}],
        "regions": [{"region": "eu-west", "health": "up", "reason": "2 of 2", "since": 100.0}],
        "processes": {
            "children": [
                {"role": "control", "slot": -1, "pid": 10, "ready": True},
                {"role": "worker", "slot": 0, "pid": 11, "ready": True},
                {"role": "worker", "slot": 1, "pid": 12, "ready": False},
                {"role": "worker", "slot": 2, "pid": None, "ready": False},
            ]
        },
    }
    assert node_view("gw-eu-west", status) == replace(WELL, rtts={"eu-west": 0.001})


def test_everyone_says_it_only_when_every_node_is_reachable_and_agrees() -> None:
    watch = Watch(PLAN)
    assert not watch.all_say(ENDPOINT, "untested")
    for region in watch.views:
        watch.views[region] = WELL
    assert watch.all_say(ENDPOINT, "up")
    watch.views["us-east"] = replace(WELL, is_reachable=False)
    assert not watch.all_say(ENDPOINT, "up")


def test_when_a_death_was_noticed_is_counted_from_the_death() -> None:
    watch = Watch(PLAN)
    watch.views["eu-west"] = replace(WELL, endpoints={ENDPOINT: Verdict("down", "r", 101.5)})
    watch.views["us-east"] = replace(WELL, id="gw-us-east", endpoints={ENDPOINT: Verdict("up", "r", 50.0)})
    assert watch.noticed_after(ENDPOINT, 100.0) == {"gw-eu-west": 1.5, "gw-us-east": None, "gw-ap-south": None}
