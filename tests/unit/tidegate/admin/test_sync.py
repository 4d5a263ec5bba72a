"""What `GET /v1/sync/lag` says, from what a sync process and other nodes have said."""

from __future__ import annotations

import asyncio
from typing import Any

from health.state.embedded import EmbeddedStore
from health.state.soft import Saying
from tests.harness.control import House
from tidegate.admin.status import status
from tidegate.admin.sync import shown
from tidegate.node.control import Control
from tidegate.node.core.replicated import CollectionLine, LagLine, PeerLine, SentLine, Status, UpkeepLine
from tidegate.node.sync_watch import KIND

US = "http://us:9443"
SAID = Status(
    member="eu:a",
    peers=[PeerLine(US, "us", reached=True, problem="", operations=7, bytes=900, silent_s=0.2)],
    lag=[LagLine(US, "us", "notes", 4, 3.0, stalled=False)],
    sent=[SentLine("notes", "us", 5, 600)],
    collections=[CollectionLine("notes", 5, 7, 12, 1, 2, 3, 1000, quarantined=2)],
    upkeep=[UpkeepLine("notes", 9, 8, 1, 2, 3, 70, 1)],
)


async def keeping_data(house: House, said: Status | None = SAID) -> Control:
    """eu, of eu and us, which share a collection."""
    house.document["sync"] = {"collections": [{"name": "notes", "data_type": "note", "conflict": "vector_clock"}]}
    house.document["residency"] = {"rules": [{"data_type": "note", "allowed_regions": "*"}]}
    house.write()
    control = house.control()
    await asyncio.sleep(0)
    if said is not None:
        control.replicas.take(said)
    return control


async def test_a_node_without_data_says_so(house: House) -> None:
    control = house.control()
    assert shown(control) == {"enabled": False}
    assert status(control)["sync"] is None


async def test_lag_is_shown_by_peer_and_by_pair_of_regions_with_its_level(house: House) -> None:
    told = shown(await keeping_data(house))
    assert told["fresh"]
    (line,) = told["lag"]
    assert (line["operations"], line["seconds"], line["level"]) == (4, 3.0, "warning")
    pairs: dict[Any, Any] = {(one["region"], one["behind"]): one for one in told["regions"]}
    assert pairs["eu", "us"]["level"] == "warning"
    assert "node gw1 is 3.0 s behind http://us:9443 in collection notes" in pairs["eu", "us"]["reason"]
    assert (pairs["us", "eu"]["seconds"], pairs["us", "eu"]["level"]) == (None, "unknown")
    assert told["collections"][0]["in_conflict"] == 1
    assert told["sent"] == [{"collection": "notes", "region": "us", "operations": 5, "bytes": 600}]


async def test_what_another_node_says_of_its_region_is_taken(house: House) -> None:
    control = await keeping_data(house)
    assert isinstance(control.state, EmbeddedStore)
    said = {"region": "us", "collections": ["notes"], "peers": {"http://eu:9443": {"region": "eu", "silent_s": 0.1}}}
    control.state.soft_book.hear([Saying("gw-us/1", 1, KIND, "gw-us", said, 5), Saying("x/1", 1, KIND, "x", {}, 5)])
    (pair,) = (one for one in status(control)["sync"]["regions"] if one["region"] == "us")
    assert pair["seconds"] < 1
    assert pair["level"] == "ok"


async def test_a_process_that_has_said_nothing_leaves_everything_unknown(house: House) -> None:
    told = shown(await keeping_data(house, None))
    assert not told["fresh"]
    assert told["problem"]
    assert {one["level"] for one in told["regions"]} == {"unknown"}
