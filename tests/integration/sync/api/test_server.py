from __future__ import annotations

from pathlib import Path

from tests.harness.data_api import DataApi


async def test_methods_and_paths_that_are_none_are_told_so(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        wrong = await api.ask("POST", "notes/k")
        assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD, PUT, PATCH, DELETE")
        assert (await api.ask("GET", "batch")).status == 405
        async with api.session.get("http://data/other") as response:
            assert response.status == 404
        head = await api.ask("HEAD", "notes/k")
        assert (head.status, head.body) == (404, b"")


async def test_what_peers_ask_is_not_answered_here_whoever_claims_to_be_one(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        claim = {"Tidegate-Peer-Region": "us", "Tidegate-Peer-Node": "us-1"}
        async with api.session.post("http://data/peer/v1/sync/pull", headers=claim) as response:
            assert response.status == 404


async def test_a_store_that_cannot_answer_costs_its_class_only_and_is_said_without_its_innards(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "k", b"v")
        connection = api.store._files["note"].ledger.connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        full = await api.put("notes", "big", b"x" * 90_000)
        assert (full.status, full.reason) == (507, "store_full")
        assert str(tmp_path) not in full.body.decode()
        assert (await api.put("notes", "big", b"x" * 90_000)).status == 507
        assert len(api.reports) == 1, "the log hears of a trouble once, not of each request that meets it"
        assert (await api.get("notes/k")).status == 200
        assert (await api.put("settings", "k", b"v")).status == 201
        connection.execute("PRAGMA max_page_count = 100000")
        assert (await api.put("notes", "big", b"x" * 90_000)).status == 201


async def test_a_broken_store_costs_its_class_and_is_reported(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        api.store._files["note"].ledger.connection.execute("DROP TABLE state")
        broken = await api.put("notes", "k", b"v")
        assert (broken.status, broken.reason) == (503, "store_unavailable")
        assert len(api.reports) == 1
        assert (await api.put("settings", "k", b"v")).status == 201
        assert (await api.get("openapi.json")).json()["openapi"] == "3.1.0"
