from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from sync.api.feeds import DEFAULT_PAGE, HEARTBEAT_S, INLINE_BYTES, open_cursor, seal_cursor, wait_of
from sync.api.problems import Problem
from sync.store import Cursor
from tests.harness.data_api import SIGNER, DataApi
from tidegate.demo.waiting import until


async def test_pages_go_on_where_they_stopped(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        for at in range(5):
            await api.put("settings", f"k{at}", b"%d" % at, Content_Type="application/json")
        await api.ask("DELETE", "settings/k4")
        first = (await api.get("settings/changes?limit=3")).json()
        assert [change["value"] for change in first["changes"]] == [0, 1, 2]
        rest = (await api.get(f"settings/changes?since={first['next']}")).json()
        assert [(change["key"], change["deleted"]) for change in rest["changes"]] == [("k3", False), ("k4", True)]
        middle = (await api.get(f"settings/changes?since={first['changes'][0]['cursor']}")).json()
        assert [change["key"] for change in middle["changes"]] == ["k1", "k2", "k3", "k4"]


async def test_a_long_poll_waits_for_the_next_change(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        end = (await api.get("notes/changes")).json()["next"]
        waiting = asyncio.gather(api.get(f"notes/changes?since={end}&wait=30s"))
        await until(lambda: api.store.wakeups.waiting("notes") == 1, within_s=5, what="a feed that waits")
        await api.put("notes", "k", b"v")
        (answer,) = await waiting
        assert [change["key"] for change in answer.json()["changes"]] == ["k"]
        assert (await api.get(f"notes/changes?since={answer.json()['next']}&wait=10ms")).json()["changes"] == []


async def events(response: aiohttp.ClientResponse, count: int) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    cursor = ""
    while len(found) < count:
        line = (await response.content.readline()).decode().rstrip("\n")
        if line.startswith("id: "):
            cursor = line[4:]
        elif line.startswith("data: "):
            found.append((cursor, msgspec.json.decode(line[6:])))
    return found


async def test_server_sent_events_go_on_and_resume_by_their_ids(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "a", b"v")
        headers = {"Accept": "text/event-stream"}
        async with api.session.get("http://data/data/v1/notes/changes", headers=headers) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            ((cursor, first),) = await events(response, 1)
            assert (first["key"], first["cursor"]) == ("a", cursor)
            await api.put("notes", "b", b"v")
            ((_, second),) = await events(response, 1)
            assert second["key"] == "b"
        headers["Last-Event-ID"] = cursor
        async with api.session.get("http://data/data/v1/notes/changes", headers=headers) as response:
            assert [told["key"] for _, told in await events(response, 1)] == ["b"]


async def test_a_feed_goes_on_at_once_with_what_was_there_before_the_process(tmp_path: Path) -> None:
    """More than a page of it, and nothing is written meanwhile that would wake it."""
    async with DataApi(tmp_path) as api:
        for at in range(DEFAULT_PAGE + 5):
            await api.put("notes", f"k{at}", b"v")
    async with DataApi(tmp_path) as api, api.session.ws_connect("http://data/data/v1/notes/changes") as socket:
        async with asyncio.timeout(HEARTBEAT_S / 3 - 1):
            found = [(await socket.receive_json())["key"] for _ in range(DEFAULT_PAGE + 5)]
        assert found == [f"k{at}" for at in range(DEFAULT_PAGE + 5)]


async def test_a_web_socket_carries_the_same_objects(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "a", b"v")
        async with api.session.ws_connect("http://data/data/v1/notes/changes") as socket:
            assert (await socket.receive_json(timeout=10))["key"] == "a"
            await api.put("notes", "b", b"v")
            assert (await socket.receive_json(timeout=10))["value_base64"] == "dg=="


async def test_a_large_value_is_told_by_its_address(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "a/b", b"x" * (INLINE_BYTES + 1))
        (change,) = (await api.get("notes/changes")).json()["changes"]
        assert change["href"] == "/data/v1/notes/a/b"
        assert "value_base64" not in change


async def test_a_cursor_that_is_too_old_or_none_is_told_apart(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("settings", "k", b"v")
        old = (await api.get("settings/changes")).json()["next"]
        await api.ask("DELETE", "settings/k")
        await api.put("settings", "l", b"v")
        await api.store.prune("settings", (await api.store.heads("settings")).applied, keep=0)
        expired = await api.get(f"settings/changes?since={old}")
        assert (expired.status, expired.reason) == (410, "cursor_expired")
        assert (await api.get("settings/changes?since=nonsense")).reason == "bad_cursor"
        assert (await api.get(f"notes/changes?since={old}")).reason == "bad_cursor"


def test_cursors_are_sealed_for_their_stream() -> None:
    cursor = Cursor("notes", "eu:aaaa.bbbb", 3, {"eu:aaaa.bbbb": 2})
    assert open_cursor(seal_cursor(cursor, SIGNER), "notes", SIGNER) == cursor
    for bad in ("", SIGNER.seal("sync cursor", b"\xc1"), SIGNER.seal("sync context", b"x")):
        with pytest.raises(Problem):
            open_cursor(bad, "notes", SIGNER)


def test_waits_are_bounded_durations() -> None:
    assert [wait_of({"wait": text}) for text in ("30s", "250ms", "5", "59m")] == [30.0, 0.25, 5.0, 60.0]
    assert wait_of({}) == 0.0
    with pytest.raises(Problem):
        wait_of({"wait": "soon"})
