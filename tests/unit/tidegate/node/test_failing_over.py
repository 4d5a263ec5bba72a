"""One node's votes, the leader's acts, and what regions for disasters get before and after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from health.core.region import RegionHealth, RegionVerdict
from health.core.rows import Row, StaleEpoch, Unavailable
from tests.harness.configuration import load
from tests.harness.control import House
from tidegate.node.control import Control
from tidegate.node.failing_over import PRIMARY, ROLE, VOTE, voters
from tidegate.node.orders import OrderRefused

US = "api/us/127.0.0.1:7002"


class Town:
    """A house whose regions a test sets, and whose time it turns."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.now = 1000.0
        self.health: dict[str, RegionHealth] = {"eu": "up", "us": "up"}

    async def control(self) -> Control:
        """Its own looks come every five minutes: those of a test are the only ones."""
        made = self.house.control()
        made.clock = lambda: self.now
        self.house.prober.regions = self.regions  # type: ignore[method-assign]  # what a test sets
        await asyncio.sleep(0)
        return made

    def regions(self) -> dict[str, RegionVerdict]:
        return {name: RegionVerdict(name, health, 0, 1, "as set", 1.0) for name, health in self.health.items()}

    async def pass_time(self, control: Control, minutes: int) -> None:
        """With a look at the end of each."""
        for _ in range(minutes):
            self.now += 60.0
            control.failing_over.watch()
            await control.failing_over.act()


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """eu is this node's and leads; us is for disasters."""
    house = House(tmp_path)
    house.document["node"]["region"] = "us"
    house.document["regions"] = [{"id": "eu", "role": "primary"}, {"id": "us", "role": "disaster_recovery"}]
    house.document["failover"] = {"trigger": "automatic", "detection": {"interval": "5m", "timeout": "10m"}}
    house.write()
    yield Town(house)
    await house.tasks.close()


def journalled(control: Control) -> list[tuple[str, str, str, int | None]]:
    return [(one.what, one.target, one.outcome, one.epoch) for one in reversed(control.journal.decisions())]


async def test_a_region_for_disasters_gets_nothing_until_it_leads(town: Town) -> None:
    control = await town.control()
    assert control.operator[US].disabled
    assert "has not been promoted" in control.operator[US].reason
    await control.failing_over.order("us", reason="test", force=True, author="ann")
    assert US not in control.operator
    assert control.failing_over.primary() == "us"


async def test_a_vote_comes_after_the_timeout_and_not_before(town: Town) -> None:
    control = await town.control()
    await town.pass_time(control, 1)
    town.health["eu"] = "down"
    await town.pass_time(control, 10)
    assert not control.failing_over.ballots()["eu"].is_down
    await town.pass_time(control, 1)
    found = control.failing_over.ballots()["eu"]
    assert found.is_down
    assert found.votes[0].evidence == "as set for 600 s"


async def test_the_leader_promotes_by_votes_with_its_epoch_and_the_evidence(town: Town) -> None:
    control = await town.control()
    epoch = control.leadership.epoch
    await town.pass_time(control, 1)
    town.health["eu"] = "down"
    await town.pass_time(control, 12)
    row = control.state.row(ROLE, PRIMARY)
    assert row is not None
    assert row.value is not None
    assert (row.value["region"], row.value["author"], row.epoch) == ("us", "leader", epoch)
    assert journalled(control) == [("promote", "region/us", "done", epoch)]
    evidence = control.journal.decisions()[0].evidence
    assert evidence["votes"]["votes"][0]["says"] == "down"


async def test_a_node_that_does_not_lead_votes_and_does_nothing(town: Town) -> None:
    control = await town.control()
    control.leadership = Follower()
    town.health["eu"] = "down"
    await town.pass_time(control, 20)
    assert control.failing_over.ballots()["eu"].is_down
    assert control.state.row(ROLE, PRIMARY) is None
    with pytest.raises(OrderRefused, match="ask gw9") as refused:
        await control.failing_over.order("us", reason="", force=False, author="ann")
    assert refused.value.reason == "not_leader"
    assert journalled(control) == [("promote", "region/us", "refused", None)]


class Follower:
    """Somebody else leads."""

    epoch = None
    leader = "gw9"
    reason = "gw9 holds the lease"
    no_promotion = None


async def test_failback_is_a_persons_unless_it_is_configured(town: Town) -> None:
    town.house.document["failover"] |= {"failback": "automatic", "hysteresis": "10m"}
    town.house.write()
    control = await town.control()
    town.health["eu"] = "down"
    await town.pass_time(control, 15)
    assert control.failing_over.primary() == "us"
    town.health["eu"] = "up"
    await town.pass_time(control, 10)
    assert control.failing_over.primary() == "us", "not well for long enough"
    await town.pass_time(control, 2)
    assert control.failing_over.primary() == "eu"


class Refusing:
    """A store that knows a newer leader, or finds no majority."""

    def __init__(self, control: Control, error: Exception) -> None:
        self._store = control.state
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put(self, kind: str, key: str, *given: Any, **named: Any) -> Row:
        if kind == ROLE:
            raise self._error
        row: Row = await self._store.put(kind, key, *given, **named)
        return row


@pytest.mark.parametrize(("error", "outcome"), [(StaleEpoch("newer"), "failed"), (Unavailable("1 of 3"), "unknown")])
async def test_what_the_store_refuses_has_not_happened_and_is_tried_again_later(
    town: Town, error: Exception, outcome: str
) -> None:
    control = await town.control()
    whole = control.state
    control.state = Refusing(control, error)
    town.health["eu"] = "down"
    await town.pass_time(control, 11)
    assert journalled(control)[0][2] == outcome
    assert control.failing_over.primary() == "eu"
    control.state = whole
    await town.pass_time(control, 10)
    assert control.failing_over.primary() == "us"


async def test_a_person_is_asked_once_where_no_region_may_follow(town: Town) -> None:
    town.house.document["regions"][1]["active"] = False
    town.house.write()
    control = await town.control()
    town.health["eu"] = "down"
    await town.pass_time(control, 20)
    assert [what for what, *_ in journalled(control)] == ["ask"]
    assert control.failing_over.asked is not None
    assert "us: it is not active" in control.failing_over.asked
    town.health["eu"] = "up"
    await town.pass_time(control, 2)
    assert control.failing_over.asked is None


async def test_votes_that_are_not_understood_are_left_out(town: Town) -> None:
    control = await town.control()
    control.state.announce(VOTE, "gw7", {"region": "eu", "votes": "all"}, ttl_s=60)
    control.state.announce(VOTE, "gw8", {"region": "eu", "votes": {"us": ["sideways", "x"]}}, ttl_s=60)
    assert control.failing_over.ballots()["us"].votes == ()


async def test_a_row_that_names_a_region_of_yesterday_leaves_the_first_choice(town: Town) -> None:
    control = await town.control()
    value = {"region": "mars", "instead_of": "eu", "at": 1.0, "author": "ann", "why": "", "node": "gw1"}
    await control.state.put(ROLE, PRIMARY, value, expected=0)
    assert control.failing_over.primary() == "eu"


@pytest.mark.parametrize(
    ("to", "reason", "said"),
    [
        ("mars", "no_such_region", []),
        ("us", "failover_refused", [("promote", "region/us", "refused")]),
        (None, "no_candidate", [("promote", "regions", "refused")]),
    ],
)
async def test_a_person_is_refused_what_cannot_be_and_the_journal_has_it(
    town: Town, to: str | None, reason: str, said: list[tuple[str, str, str]]
) -> None:
    control = await town.control()
    town.health["us"] = "down"
    with pytest.raises(OrderRefused) as refused:
        await control.failing_over.order(to, reason="eu burns", force=True, author="ann")
    assert refused.value.reason == reason
    assert [one[:3] for one in journalled(control)] == said, "a target that there is not is no decision"
    for one in control.journal.decisions():
        assert (one.author, one.why, one.detail, one.epoch) == (
            "ann",
            "eu burns",
            str(refused.value),
            control.leadership.epoch,
        )
        assert one.evidence["against"]["us"][0] == "it is not reachable from the node that decides"
    assert not await control.failing_over.order("eu", reason="", force=False, author="ann"), "it leads already"


async def test_force_does_not_lift_the_compliance_zones(town: Town) -> None:
    town.house.document["regions"][0]["compliance_zones"] = ["gdpr"]
    town.house.document["regions"][1]["compliance_zones"] = ["ccpa"]
    town.house.write()
    control = await town.control()
    with pytest.raises(OrderRefused, match="none of the compliance zones of eu: gdpr") as refused:
        await control.failing_over.order("us", reason="", force=True, author="ann")
    assert (refused.value.status, refused.value.reason) == (409, "failover_refused")
    assert "force" not in str(refused.value), "no hint at what would not help"
    assert control.failing_over.primary() == "eu"
    assert control.state.row(ROLE, PRIMARY) is None


REDIS = {"state": {"kind": "redis", "urls": ["redis://127.0.0.1:1/0"]}}


@pytest.mark.parametrize(
    ("stores", "with_peers", "asked"),
    [
        ({}, [], {"eu"}),
        ({}, ["eu", "us"], {"eu", "us"}),
        (REDIS, [], {"eu", "us", "asia"}),
        ({"state": {"kind": "postgres", "dsn": "env:DSN"}}, [], {"eu", "us", "asia"}),
        (REDIS, ["eu", "us"], {"eu", "us"}),
        (REDIS, ["us", "asia"], {"eu", "us", "asia"}),
    ],
    ids=["alone", "peers", "redis", "postgres", "redis, and the nodes are named", "a node's own region has it"],
)
def test_who_votes_is_what_the_file_says_and_not_who_is_heard(
    stores: dict[str, Any], with_peers: list[str], asked: set[str]
) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["regions"].append({"id": "asia"})
        document["stores"] = stores
        for region in document["regions"]:
            if region["id"] in with_peers:
                region["peers"] = [f"http://{region['id']}:9443"]
        if with_peers:
            document["peer"] = {"bind": "127.0.0.1:9443", "secret": "env:KEY"}
            document["secrets"] = {"signing_keys": ["env:KEY"]}

    assert voters(load(edit=edit, environ={"KEY": "key", "DSN": "x"}).config) == asked
