"""The name in the zone of a real Knot, moved by whoever leads: one control alone, and a mesh of three nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import dns.update
import pytest

from health.core.drain import Target
from health.core.region import RegionHealth, RegionVerdict
from health.dns_failover import Pointer, StaleEpoch, point
from tests.harness.control import House
from tests.harness.knot import Knot
from tests.harness.mesh_of_nodes import Mesh, told
from tidegate.admin.failover import shown
from tidegate.admin.operating import DrainBody, post_drain
from tidegate.demo.waiting import until
from tidegate.node.control import Control

GATEWAYS = {"eu": "192.0.2.1", "us": "192.0.2.2", "asia": "192.0.2.3"}


@pytest.fixture
async def knot(tmp_path: Path) -> AsyncIterator[Knot]:
    (tmp_path / "knot").mkdir()
    async with Knot(tmp_path / "knot") as made:
        yield made


TO_EU, TO_US = "api.example.test points to eu (192.0.2.1)", "api.example.test points to us (192.0.2.2)"


def with_dns(config: dict[str, Any], knot: Knot) -> None:
    for region in config["regions"]:
        region["gateway"] = f"http://{GATEWAYS[region['id']]}"
    config["failover"]["dns"] = {
        "server": "127.0.0.1",
        "port": knot.port,
        "zone": "example.test",
        "name": "api",
        "ttl": "5s",
        "tsig": {"name": knot.key.name, "algorithm": knot.key.algorithm, "secret": "env:TSIG"},
    }


async def records(knot: Knot) -> set[tuple[int, str]]:
    question = dns.message.make_query("api.example.test.", "A")
    response = await dns.asyncquery.udp(question, "127.0.0.1", port=knot.port, timeout=5)
    return {(rrset.ttl, record.to_text()) for rrset in response.answer for record in rrset}


class Town:
    """One control alone, whose regions and time a test sets. eu is the primary."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.now = 1000.0
        self.health: dict[str, RegionHealth] = {"eu": "up", "us": "up"}

    async def control(self) -> Control:
        made = self.house.control()
        made.clock = lambda: self.now
        self.house.prober.regions = self.regions  # type: ignore[method-assign]  # what a test sets
        await until(lambda: bool(made.pointing.problem or points(made)), within_s=60, what="its own first look")
        return made

    def regions(self) -> dict[str, RegionVerdict]:
        return {name: RegionVerdict(name, health, 0, 1, "as set", 1.0) for name, health in self.health.items()}

    async def look(self, control: Control, minutes: int) -> None:
        for _ in range(minutes):
            self.now += 60.0
            control.failing_over.watch()
            await control.pointing.act()


@pytest.fixture
async def town(tmp_path: Path, knot: Knot) -> AsyncIterator[Town]:
    house = House(tmp_path)
    house.environ["TSIG"] = knot.key.secret
    house.document["node"]["region"] = "us"
    house.document["regions"] = [{"id": "eu", "role": "primary"}, {"id": "us"}]
    # Its own looks come every ten minutes: those of a test are the only ones.
    house.document["failover"] = {
        "trigger": "automatic",
        "hysteresis": "3m",
        "detection": {"interval": "10m", "timeout": "20m"},
    }
    with_dns(house.document, knot)
    house.write()
    yield Town(house)
    await house.tasks.close()


def points(control: Control) -> list[tuple[str, str]]:
    """Those that have ended."""
    return [
        (one.outcome, one.detail)
        for one in reversed(control.journal.decisions())
        if one.what == "point" and one.outcome != "begun"
    ]


async def test_the_name_follows_a_dead_region_to_its_stand_in_and_back_after_the_hysteresis(
    town: Town, knot: Knot
) -> None:
    control = await town.control()
    assert await records(knot) == {(5, "192.0.2.1")}
    town.health["eu"] = "down"
    await town.look(control, 19)
    assert await records(knot) == {(5, "192.0.2.1")}, "no vote before the timeout"
    await town.look(control, 2)
    assert await records(knot) == {(5, "192.0.2.2")}
    told_of = shown(control, "eu")["plan"]["dns"]
    assert (told_of["name"], told_of["region"], told_of["targets"]) == ("api.example.test", "us", ["192.0.2.2"])
    assert (told_of["moved_from"], told_of["would"]["targets"]) == ("eu", ["192.0.2.1"])
    town.health["eu"] = "up"
    await town.look(control, 3)
    assert await records(knot) == {(5, "192.0.2.2")}, "not well for long enough"
    await town.look(control, 1)
    assert await records(knot) == {(5, "192.0.2.1")}
    assert points(control) == [
        ("done", TO_EU),
        ("done", TO_US),
        ("done", TO_EU),
    ]


async def test_a_drain_of_all_nodes_moves_the_name_and_one_of_this_node_alone_does_not(town: Town, knot: Knot) -> None:
    control = await town.control()
    eu = Target("region", "eu")
    await post_drain(control, eu, DrainBody(local=True), author="ann")
    await town.look(control, 2)
    assert await records(knot) == {(5, "192.0.2.1")}
    await post_drain(control, eu, DrainBody(), author="ann")
    await town.look(control, 1)
    assert await records(knot) == {(5, "192.0.2.2")}


async def test_what_somebody_else_put_there_is_put_right(town: Town, knot: Knot) -> None:
    control = await town.control()
    await point(pointer(knot), ["198.51.100.7"], epoch=control.leadership.epoch or 0)
    await town.look(control, 2)
    assert await records(knot) == {(5, "192.0.2.1")}
    assert len(points(control)) == 2


async def test_a_later_leaders_record_is_left_alone_and_the_refusal_is_shown(town: Town, knot: Knot) -> None:
    control = await town.control()
    await point(pointer(knot), ["198.51.100.7"], epoch=99)
    town.health["eu"] = "down"
    await town.look(control, 21)
    assert await records(knot) == {(5, "198.51.100.7")}
    assert points(control)[-1][0] == "refused"
    assert "epoch 99 is recorded" in (control.pointing.problem or "")
    assert any("could not be moved" in reason for reason in control.degraded())


async def test_a_server_that_is_gone_is_said_and_asked_again(town: Town, knot: Knot) -> None:
    town.house.document["failover"]["dns"]["port"] = 1
    town.house.write()
    control = await town.control()
    assert "127.0.0.1" in (control.pointing.problem or "")
    town.house.document["failover"]["dns"]["port"] = knot.port
    town.house.write()
    await control.reload("a test")
    await town.look(control, 1)
    assert await records(knot) == {(5, "192.0.2.1")}
    assert control.pointing.problem is None


def pointer(knot: Knot) -> Pointer:
    return Pointer("127.0.0.1", knot.port, "example.test", "api", 5.0, knot.key)


async def test_in_a_mesh_the_name_leaves_a_region_that_dies_and_comes_back_and_an_old_leader_is_refused(
    tmp_path: Path, knot: Knot
) -> None:
    def edit(config: dict[str, Any]) -> None:
        config["failover"] |= {"hysteresis": "1s", "failback": "automatic"}
        with_dns(config, knot)

    async with Mesh(tmp_path, edit=edit, environ={"TSIG": knot.key.secret}) as mesh:
        await mesh.start()
        us = mesh.nodes["us"]

        async def points_to(region: str) -> bool:
            return await records(knot) == {(5, GATEWAYS[region])}

        await us.until(lambda: points_to("eu"), "the name points to the primary", within_s=60)
        await mesh.kill("eu")
        await us.until(lambda: points_to("us"), "the name points to the next", within_s=40)
        await mesh.revive("eu")
        await us.until(lambda: points_to("eu"), "the name points to the primary again", within_s=60)

        async def is_written() -> bool:
            decisions = (await told(us, "/v1/decisions")).get("decisions", ())
            moves = [one.get("detail", "") for one in reversed(decisions) if one["what"] == "point"]
            # On a busy machine a region may seem dead more than once.
            return len(moves) >= 2 and moves[-1] == TO_EU and TO_US in moves

        await us.until(is_written, "all moves are in the journal, and known everywhere", within_s=30)
        epoch = max([(await told(node, "/v1/failover")).get("epoch") or 0 for node in mesh.nodes.values()])
        await point(pointer(knot), [GATEWAYS["eu"]], epoch=epoch + 1)  # as a leader that came after would
        with pytest.raises(StaleEpoch):
            await point(pointer(knot), [GATEWAYS["asia"]], epoch=epoch)
        assert await points_to("eu")
