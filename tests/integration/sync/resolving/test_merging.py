"""What readers of a `custom` collection get, over a real store and a real resolver process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sync.resolving.merging import HEARD_FOR_S, Merging
from sync.resolving.resolver import Resolver
from tests.harness.data_api import DataApi
from tests.harness.replicas import plan
from tests.harness.resolver_files import LAWLESS, TROUBLESOME, write


@dataclass
class Room:
    api: DataApi
    merging: Merging
    said: list[Any] = field(default_factory=list)
    now: float = 0.0


async def room_of(tmp_path: Path, text: str) -> AsyncIterator[Room]:
    api = DataApi(tmp_path)
    api.plans["drafts"] = plan("custom", name="drafts", regions=("eu",), resolver="r:merge")
    async with api:
        made = Room(api, Merging({}, now=lambda: 0.0, say=print))
        resolver = Resolver(write(tmp_path, "r", text), folder=tmp_path, now=lambda: made.now, wall_s=20.0, rest_s=0.0)
        made.merging = api.records.merging = Merging(
            {"drafts": resolver}, now=lambda: made.now, say=lambda event, **facts: made.said.append(facts["why"])
        )
        await made.merging.start()
        yield made
        await made.merging.close()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async for one in room_of(tmp_path, TROUBLESOME):
        yield one


@pytest.fixture
async def lawless(tmp_path: Path) -> AsyncIterator[Room]:
    async for one in room_of(tmp_path, LAWLESS):
        yield one


async def test_readers_get_one_value_and_may_settle_it_by_writing_it_back(room: Room) -> None:
    await room.api.put("drafts", "k", b"a")
    await room.api.put("drafts", "k", b"b")
    read = await room.api.get("drafts/k")
    assert (read.status, read.body, read.headers["Content-Type"]) == (200, b"b", "text/plain")
    assert read.headers["Tidegate-Resolver"] == "r:merge@1; versions=2"
    assert (await room.api.get("drafts/k", If_None_Match=read.headers["ETag"])).status == 304
    again = await room.api.get("drafts/k")
    assert (again.body, room.merging.merges) == (b"b", {"drafts": 1}), "remembered"
    await room.api.put("drafts", "k", read.body, Tidegate_Context=read.headers["Tidegate-Context"])
    settled = await room.api.get("drafts/k")
    assert (settled.body, "Tidegate-Resolver" in settled.headers) == (b"b", False)
    assert (await room.api.get("drafts/conflicts")).json()["items"] == []


async def test_where_the_function_fails_all_versions_are_there_and_it_is_said_once(room: Room) -> None:
    await room.api.put("drafts", "k", b"a")
    await room.api.put("drafts", "k", b"raise")
    for _ in range(2):
        read = await room.api.get("drafts/k")
        assert (read.status, len(read.json()["siblings"])) == (300, 2)
        assert "not this one" in read.headers["Tidegate-Unresolved"]
    assert room.said == ["it raised ValueError: not this one"]
    status = room.merging.status("drafts")
    assert status is not None
    assert (status["failures"], status["version"]) == (2, "1")


async def test_while_another_store_runs_another_version_readers_get_the_versions(room: Room) -> None:
    await room.api.put("drafts", "k", b"a")
    await room.api.put("drafts", "k", b"b")
    room.merging.heard("us:store", "drafts", "1")
    assert (await room.api.get("drafts/k")).status == 200
    room.merging.heard("us:store", "drafts", "2")
    assert (await room.api.get("drafts/k")).status == 300
    assert room.said == ["us:store runs version 2, this store 1"]
    room.now += HEARD_FOR_S + 1
    assert (await room.api.get("drafts/k")).status == 200, "one that is silent speaks for no reader"


async def test_a_function_that_breaks_a_law_never_merges(lawless: Room) -> None:
    assert "not commutative" in lawless.said[0]
    await lawless.api.put("drafts", "k", b"a")
    await lawless.api.put("drafts", "k", b"b")
    assert (await lawless.api.get("drafts/k")).status == 300
    assert len(lawless.said) == 1
