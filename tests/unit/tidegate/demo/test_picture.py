"""The picture says what the record says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.demo.picture import BY_RULE, FAILED, TREND_COLUMNS, News, Picture, Scene, percentile, picture, shares
from tidegate.demo.setting import PORTS_NEEDED, plan
from tidegate.demo.traffic import Answer
from tidegate.demo.watch import Event, NodeView, Verdict

PLAN = plan(range(20_000, 20_000 + PORTS_NEEDED), directory=Path("/somewhere"))
SCENE = Scene(number=1, titles=("Calm",), what="All is well.", step="", kept=(), sentences=())
NOW = 1_000.0


def answer(
    *,
    ended: float = NOW - 1,
    took_s: float = 0.1,
    region: str = "us-east",
    served_from: str | None = "eu-west",
    status: int = 200,
    route: str = "feed",
) -> Answer:
    backend = f"{served_from}-1" if served_from else None
    path = f"/{route}/1"
    return Answer(
        region, route, "GET", path, ended - took_s, ended, status, backend, served_from, None, None, None, None
    )


def drawn(*answers: Answer, views: dict[str, NodeView] | None = None, events: tuple[Event, ...] = ()) -> Picture:
    known = {node.region: NodeView(node.id) for node in PLAN.nodes} | (views or {})
    return picture(
        now=NOW,
        began=NOW - 83,
        scene=SCENE,
        planned=PLAN,
        views=known,
        answers=answers,
        events=events,
        total=len(answers),
        refused=0,
        failed=0,
    )


def test_a_region_shows_what_its_own_clients_get_in_the_last_seconds() -> None:
    old = answer(ended=NOW - 30, took_s=5.0)
    region = drawn(old, *(answer(took_s=took) for took in (0.1, 0.2, 0.3, 0.4))).regions[1]
    assert (region.region, region.rate) == ("us-east", 4 / 5)
    assert region.p50_s == pytest.approx(0.2)
    assert region.p95_s == pytest.approx(0.4)


def test_a_backends_rate_counts_whoever_asked() -> None:
    eu_west = drawn(answer(), answer(region="eu-west"), answer(region="ap-south")).regions[0]
    assert [(one.name, one.rate) for one in eu_west.backends] == [("eu-west-1", 3 / 5), ("eu-west-2", 0)]


def test_a_backends_health_is_what_the_node_beside_it_says() -> None:
    endpoint = PLAN.backend("eu-west-2").endpoint
    view = NodeView("gw-eu-west", is_reachable=True, version=7, endpoints={endpoint: Verdict("down", "refused")})
    eu_west = drawn(views={"eu-west": view}).regions[0]
    assert [one.health for one in eu_west.backends] == ["untested", "down"]
    assert (eu_west.is_reachable, eu_west.version) == (True, 7)


def test_shares_tell_served_answered_by_a_rule_and_failed_apart() -> None:
    sent_home = answer(route="profile", served_from=None, status=308)
    refused = replace(answer(route="profile", region="eu-west", served_from=None, status=503), rule="profile")
    failed = answer(status=502, served_from=None)
    assert shares([answer(), answer(), sent_home, refused, failed]) == {"eu-west": 0.4, BY_RULE: 0.4, FAILED: 0.2}
    assert shares([]) == {}


def test_the_trend_has_one_median_a_second_and_gaps_where_nothing_was_answered() -> None:
    trend = drawn(answer(ended=NOW - 0.5, took_s=0.1), answer(ended=NOW - 2.5, took_s=0.3)).regions[1].trend
    assert len(trend) == TREND_COLUMNS
    assert trend[-1] == pytest.approx(0.1)
    assert trend[-3] == pytest.approx(0.3)
    assert {*trend[:-3], trend[-2]} == {None}


def test_news_come_newest_first_with_their_age() -> None:
    first, second = Event(NOW - 9, "gw-eu-west", "a", is_bad=True), Event(NOW - 2, "gw-eu-west", "b", is_bad=False)
    assert drawn(events=(first, second)).news == (
        News(2.0, ("gw-eu-west",), "b", is_bad=False),
        News(9.0, ("gw-eu-west",), "a", is_bad=True),
    )


def test_what_several_nodes_notice_at_about_the_same_time_is_one_piece_of_news() -> None:
    events = [Event(NOW - age, f"gw-{age}", "x is down", is_bad=True) for age in (30, 4, 3)]
    news = drawn(events=tuple(events)).news
    assert [(one.age_s, one.nodes) for one in news] == [(3.0, ("gw-4", "gw-3")), (30.0, ("gw-30",))]


def test_the_same_node_noticing_the_same_twice_is_news_twice() -> None:
    events = [Event(NOW - age, "gw-eu-west", "x is down", is_bad=True) for age in (4, 3)]
    assert len(drawn(events=tuple(events)).news) == 2


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([3.0], 0.95, 3.0), ([2.0, 1.0], 0.5, 1.0), ([float(n) for n in range(1, 101)], 0.95, 95.0)],
)
def test_percentiles_are_by_nearest_rank(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_the_play_is_over_when_every_act_has_ended() -> None:
    assert not SCENE.is_over
    assert Scene(number=1, titles=("Calm",), what="", step="", kept=(True,), sentences=("1 request",)).is_over
