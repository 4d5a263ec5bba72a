"""The gate to a `primary` collection, before a real data API: here, elsewhere, not now; alone and in a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.api.primary import Answered, Carried, PrimaryGate, PrimaryUnreachable
from sync.core.primacy import Primacy, Primary
from tests.harness.data_api import DataApi
from tests.harness.replicas import plan


@dataclass
class Room:
    api: DataApi
    primacy: Primacy
    boot: float = 0.0
    carried: list[tuple[str, Carried]] = field(default_factory=list)
    answer: Answered | None = None

    async def carry(self, region: str, asked: Carried) -> Answered:
        self.carried.append((region, asked))
        if self.answer is None:
            raise PrimaryUnreachable("connection refused")
        return self.answer

    async def confirmed(self, stream: str) -> tuple[int, Mapping[str, int]]:
        return 0, {}

    def lead(self, *, until: float = 10.0) -> None:
        self.primacy.tell({"eu": Primary("eu", epoch=1, until=until)})
        self.primacy.ready("catalog", 1)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    api = DataApi(tmp_path)
    api.plans["catalog"] = plan("last_write_wins", name="catalog", regions=("eu", "us"), primary="eu")
    async with api:
        made = Room(api, Primacy("eu", rpo_s=5.0))
        api.records.primary = PrimaryGate(
            made.primacy, boot=lambda: made.boot, now=lambda: 0.0, carry=made.carry, confirmed=made.confirmed
        )
        yield made


def batch(*keys: tuple[str, str]) -> bytes:
    return msgspec.json.encode(
        {"operations": [{"method": "PUT", "collection": name, "key": key, "value": 1} for name, key in keys]}
    )


async def test_with_the_lease_writes_are_taken_here_and_others_need_none(room: Room) -> None:
    assert (await room.api.put("catalog", "k", b"v")).reason == "primary_unknown"
    assert (await room.api.put("notes", "k", b"v")).status == 201
    room.lead()
    assert (await room.api.put("catalog", "k", b"v")).status == 201
    results = (await room.api.ask("POST", "batch", batch(("catalog", "b"), ("notes", "b")))).json()["results"]
    assert [one["status"] for one in results] == [201, 201]
    assert room.carried == []


async def test_what_the_lease_did_not_outlive_is_not_acknowledged(room: Room) -> None:
    room.lead()
    standing = room.primacy.standing

    def slow(*asked: Any, **more: Any) -> Any:
        found = standing(*asked, **more)
        room.boot = 11.0  # the process was paused after it was asked, and before it answers
        return found

    room.primacy.standing = slow  # type: ignore[method-assign]
    lost = await room.api.put("catalog", "k", b"v")
    assert (lost.status, lost.reason, lost.headers["Retry-After"]) == (503, "write_lease_ended", "1")
    room.boot = 0.0
    (result,) = (await room.api.ask("POST", "batch", batch(("catalog", "b")))).json()["results"]
    assert (result["status"], result["problem"]["reason"]) == (503, "write_lease_ended")


async def test_a_write_elsewhere_is_carried_with_its_fields_and_answered_as_it_was_there(room: Room) -> None:
    room.primacy.tell({"eu": Primary("us")})
    room.answer = Answered(201, (("ETag", '"1@us:s.1"'),), b"")
    answer = await room.api.put("catalog", "a%2Fb", b"v", Tidegate_Op_Id="desk:1", If_None_Match="*")
    assert (answer.status, answer.headers["ETag"]) == (201, '"1@us:s.1"')
    ((region, asked),) = room.carried
    assert (region, asked.method, asked.path, asked.body) == ("us", "PUT", "/data/v1/catalog/a%2Fb", b"v")
    fields = dict(asked.headers)
    assert (fields["tidegate-op-id"], fields["if-none-match"]) == ("desk:1", "*")
    assert (await room.api.get("catalog/a%2Fb")).status == 404, "it comes by replication"


async def test_where_nobody_answers_a_client_is_told_to_send_it_again_under_its_id(room: Room) -> None:
    room.primacy.tell({"eu": Primary("us")})
    refused = await room.api.put("catalog", "k", b"v")
    assert (refused.status, refused.reason) == (503, "primary_unreachable")
    (result,) = (await room.api.ask("POST", "batch", batch(("catalog", "k")))).json()["results"]
    assert (result["status"], result["problem"]["reason"]) == (503, "primary_unreachable")


async def test_a_batch_is_split_and_its_results_stand_in_order(room: Room) -> None:
    room.primacy.tell({"eu": Primary("us")})
    there = [{"op_id": None, "status": 201, "version": f"{number}@us:s.1"} for number in (1, 2)]
    room.answer = Answered(200, (), msgspec.json.encode({"results": there}))
    mixed = batch(("catalog", "1"), ("notes", "x"), ("catalog", "2"), ("nonsense", "y"))
    results = (await room.api.ask("POST", "batch", mixed)).json()["results"]
    assert [one["status"] for one in results] == [201, 201, 201, 404]
    assert [one.get("version") for one in results[::2]] == ["1@us:s.1", "2@us:s.1"]
    assert len(room.carried) == 1


async def test_what_was_carried_here_is_not_carried_on_and_comes_only_from_regions_that_may(room: Room) -> None:
    room.primacy.tell({"eu": Primary("us")})
    room.answer = Answered(201, (), b"")
    turned = await room.api.put("catalog", "k", b"v", Tidegate_Carried_From="us")
    assert (turned.status, turned.reason) == (503, "not_primary")
    room.lead()
    room.primacy.tell({"eu": Primary("eu", epoch=2, until=10.0)})
    room.primacy.ready("catalog", 2)
    assert (await room.api.put("catalog", "k", b"v", Tidegate_Carried_From="us")).status == 201
    forbidden = await room.api.put("catalog", "k", b"v", Tidegate_Carried_From="mars")
    assert (forbidden.status, forbidden.reason) == (403, "region_may_not_hold")
    assert room.carried == []


async def test_a_resolution_is_a_write_like_any_other(room: Room) -> None:
    room.primacy.tell({"eu": Primary("us")})
    room.answer = Answered(200, (), b"")
    assert (await room.api.ask("POST", "catalog/k/conflict", b"{}")).status == 200
    assert room.carried[0][1].path == "/data/v1/catalog/k/conflict"
