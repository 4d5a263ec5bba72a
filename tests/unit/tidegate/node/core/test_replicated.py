"""What a region lacks of another, from what nodes say: silence counts until somebody is known to be dead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.models.sync import Lag
from sync.core.dots import MAX_SEQUENCE
from tests.harness.replicas import plan
from tidegate.node.core.replicated import (
    MAX_AGE_S,
    OWN,
    Behind,
    CollectionLine,
    Heard,
    LagLine,
    Member,
    PeerLine,
    Progress,
    RegionLag,
    Said,
    Status,
    Towards,
    applied_by_region,
    lags_by_region,
    level_of,
    region_lag,
    said_of,
    shared,
)

EU1, EU2 = "http://eu1", "http://eu2"


def behind(seconds: float | None, operations: int = 1) -> dict[str, Behind]:
    return {"notes": Behind(operations, seconds, stalled=False)}


def us(*, age_s: float = 0.0, node: str = "gw-us", **peers: Towards) -> Heard:
    return Heard(node, Said("us", ["notes"], {f"http://{name}": line for name, line in peers.items()}), age_s)


def lag(*heard: Heard, down_for_s: float | None = None) -> RegionLag:
    return region_lag("us", of="eu", collections=["notes"], heard=heard, down_for_s=down_for_s)


def test_what_lacks_nothing_is_as_far_behind_as_its_word_is_old() -> None:
    assert lag(us(eu1=Towards("eu", 0.2))).seconds == 0.0
    assert lag(us(age_s=1.5, eu1=Towards("eu", 0.2))).seconds == 1.5


def test_the_furthest_peer_collection_and_node_count() -> None:
    near, far = Towards("eu", 0.1, behind(0.5)), Towards("eu", 0.1, behind(4.0, operations=7))
    found = lag(us(eu1=near, eu2=far), us(node="gw-us-2", eu1=near, eu2=near))
    assert (found.seconds, found.operations) == (4.0, 7)
    assert found.why == "node gw-us is 4.0 s behind http://eu2 in collection notes"


def test_a_region_that_is_only_silent_is_behind_by_all_of_its_silence() -> None:
    assert lag(us(eu1=Towards("eu", 60.0, behind(60.0, operations=0)))).seconds == 60.0


def test_of_a_region_that_is_down_only_what_was_missing_at_its_last_sign_of_life_counts() -> None:
    silent = Towards("eu", 60.0, behind(60.4, operations=0))
    assert lag(us(eu1=silent), down_for_s=100.0).seconds == pytest.approx(0.4)
    cut = Towards("eu", 60.0, behind(60.4, operations=0))
    assert lag(us(eu1=cut), down_for_s=20.0).seconds == pytest.approx(40.4), "it lived on, and wrote, unseen by us"
    asia = Heard("gw-asia", Said("asia", ["notes"], {EU1: Towards("eu", 25.0)}), 1.0)
    assert lag(us(eu1=cut), asia, down_for_s=100.0).seconds == pytest.approx(34.4), "another region heard it later"


def test_one_dead_node_of_a_living_region_holds_nobody_back_for_ever() -> None:
    gone = Towards("eu", 3600.0, behind(3600.3, operations=0))
    assert lag(us(eu1=Towards("eu", 0.1), eu2=gone)).seconds == pytest.approx(0.3)
    never = Towards("eu", None, behind(None, operations=0))
    assert lag(us(eu1=Towards("eu", 0.1), eu2=never)).seconds == 0.0


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        ([], "no node of us has said anything of its data for 5 s"),
        ([us(age_s=MAX_AGE_S + 0.1, eu1=Towards("eu", 0.1))], "no node of us has said anything of its data for 5 s"),
        ([us(eu1=Towards("eu", None, behind(None)))], "node gw-us has not yet heard of collection notes from"),
        ([us(asia=Towards("asia", 0.1))], "node gw-us says nothing of eu"),
        (
            [Heard("gw-us", Said("us", [], {EU1: Towards("eu", 0.1)}), 0.0)],
            "node gw-us says nothing of collection notes",
        ),
    ],
)
def test_what_nobody_has_said_is_not_known(heard: list[Heard], why: str) -> None:
    found = lag(*heard, down_for_s=100.0)
    assert found.seconds is None
    assert why in found.why


def test_regions_without_a_collection_in_common_owe_each_other_nothing() -> None:
    found = region_lag("us", of="eu", collections=[], heard=[], down_for_s=None)
    assert (found.seconds, found.why) == (0.0, "us keeps none of the collections of eu")
    plans = {"notes": plan(), "profiles": replace(plan(), name="profiles", regions=("eu",))}
    assert shared(plans, "eu", "us") == ["notes"]


def test_a_node_says_only_what_it_lacks() -> None:
    peer = PeerLine(EU1, "eu", reached=True, problem="", operations=3, bytes=9, silent_s=0.1)
    held = CollectionLine("notes", 1, 2, 3, 0, 0, 0, 100)
    lines = [LagLine(EU1, "eu", "notes", 0, 0.0, stalled=False)]
    said = said_of(Status("us:a", [peer], lines, [], [held]), "us")
    assert said == Said("us", ["notes"], {EU1: Towards("eu", 0.1)})
    lines = [LagLine(EU1, "eu", "notes", 4, None, stalled=False)]
    assert said_of(Status("us:a", [peer], lines, [], [held]), "us").peers[EU1].behind == behind(None, operations=4)


@pytest.mark.parametrize(
    ("seconds", "level"), [(None, "unknown"), (0.0, "ok"), (1.9, "ok"), (2.0, "warning"), (10.0, "critical")]
)
def test_levels_are_those_of_the_configuration(seconds: float | None, level: str) -> None:
    assert level_of(seconds, stalled=False, thresholds=Lag()) == level
    assert level_of(seconds, stalled=True, thresholds=Lag()) == "critical"


PLANS = {"notes": plan(), "profiles": replace(plan(), name="profiles", regions=("eu",))}


def member(name: str, notes: dict[str, int], heard_s: float | None = 0.1, life: str | None = None) -> Member:
    return Member(name, heard_s, {"notes": notes}, {} if life is None else {"notes": life})


def test_a_region_has_applied_what_all_its_stores_have() -> None:
    members = [
        member("eu:a", {"x": 9, "y": 4}, 0.0),
        member("eu:b", {"x": 7, "y": 5}),
        member("eu:gone", {"x": 1}, 60.0),
        member("us:c", {"x": 3}, 60.0),
        member("us:d", {"x": 2}, None),
    ]
    found = applied_by_region(Progress(1, "eu:a", members), PLANS, own_region="eu")
    assert found["eu"] == {"notes": {"x": 7, "y": 4}, "profiles": {}}, "a store that is silent holds nobody up"
    assert found["us"] == {"notes": {"x": 2}}, "where all are silent, what all of them had is still true"
    assert found["ap"] == {"notes": {}}, "who was never heard has nothing"
    assert found[OWN]["notes"] == {"x": 9, "y": 4}


def test_a_store_always_has_what_it_writes_itself_also_while_nobody_hears_it() -> None:
    alone = [member("us:c", {"eu:a.1": 3}, 0.0), member("eu:a", {"eu:a.1": 2, "us:c.1": 1}, 60.0, "eu:a.1")]
    found = applied_by_region(Progress(1, "us:c", alone), PLANS, own_region="us")
    assert found["eu"]["notes"] == {"eu:a.1": MAX_SEQUENCE, "us:c.1": 1}
    two = [*alone, member("eu:b", {"eu:a.1": 1}, 60.0)]
    found = applied_by_region(Progress(1, "us:c", two), PLANS, own_region="us")
    assert found["eu"]["notes"] == {"eu:a.1": 1}, "its neighbour may not have it"


def test_what_a_store_wrote_in_an_earlier_life_it_may_have_lost() -> None:
    """Found by simulation: a store that was put back from a backup lacked what it had written after that."""
    members = [member("us:c", {"eu:a.1": 9}, 0.0), member("eu:a", {"eu:a.1": 4}, 0.1, "eu:a.2")]
    found = applied_by_region(Progress(1, "us:c", members), PLANS, own_region="us")
    assert found["eu"]["notes"] == {"eu:a.1": 4, "eu:a.2": MAX_SEQUENCE}


def test_a_region_is_as_far_behind_as_behind_the_furthest_of_the_others() -> None:
    asia, eu = "http://ap1", "http://eu1"
    heard = [
        Heard("gw-us", Said("us", ["notes"], {eu: Towards("eu", 0.1, behind(4.0)), asia: Towards("ap", 0.1)}), 0.0),
        Heard("gw-ap", Said("ap", ["notes"], {eu: Towards("eu", 0.1)}), 1.0),
        Heard("gw-us-2", Said("us", ["notes"], {eu: Towards("eu", 0.1), asia: Towards("ap", 0.1)}), 0.0),
    ]
    found = lags_by_region(heard, PLANS, own_node="gw-us-2", own_region="us", down_for_s={})
    assert found["us"] == {"notes": 4.0}
    assert found[OWN] == {"notes": 0.0}, "this node's own store lacks nothing"
    assert found["ap"] == {"notes": None}, "it says nothing of us"
    assert found["eu"] == {"notes": None, "profiles": 0.0}
