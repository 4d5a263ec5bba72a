from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from config.core.signing import Signer
from health.core.session_token import SessionToken, seal, unseal
from sync.core.dots import Dot
from sync.core.levels import Durability
from sync.replication.barrier import Passed
from tests.harness.data_api import MAX_VALUE, SIGNER, DataApi


async def test_a_record_is_written_read_replaced_and_deleted(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        first = await api.put("settings", "a/b%20c", b"1")
        assert (first.status, first.headers["Tidegate-Durability"]) == (201, "global")
        read = await api.get("settings/a/b%20c")
        assert (read.status, read.body, read.headers["Content-Type"]) == (200, b"1", "text/plain")
        assert read.headers["ETag"] == first.headers["ETag"]
        assert read.headers["X-Content-Type-Options"] == "nosniff"
        assert (await api.put("settings", "a/b%20c", b"2")).status == 200
        assert (await api.ask("DELETE", "settings/a/b%20c")).status == 204
        gone = await api.get("settings/a/b%20c")
        assert (gone.status, gone.reason) == (404, "no_such_key")
        assert "Tidegate-Context" in gone.headers


async def test_preconditions_are_kept(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        first = await api.put("settings", "k", b"1", If_None_Match="*")
        assert (await api.put("settings", "k", b"2", If_None_Match="*")).status == 412
        assert (await api.put("settings", "k", b"2", If_Match=first.headers["ETag"])).status == 200
        stale = await api.put("settings", "k", b"3", If_Match=first.headers["ETag"])
        assert (stale.status, stale.reason) == (412, "precondition_failed")
        tag = (await api.get("settings/k")).headers["ETag"]
        assert (await api.get("settings/k", If_None_Match=tag)).status == 304
        assert (await api.put("settings", "k", b"3", If_Match="no tag")).reason == "bad_precondition"


async def test_concurrent_versions_are_shown_until_a_write_with_their_context(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "k", b"1")
        await api.put("notes", "k", b"2")
        read = await api.get("notes/k")
        assert read.status == 300
        assert {one["value_base64"] for one in read.json()["siblings"]} == {"MQ==", "Mg=="}
        assert read.json()["context"] == read.headers["Tidegate-Context"]
        await api.put("notes", "k", b"3")
        crowded = await api.put("notes", "k", b"4")
        assert (crowded.status, crowded.reason) == (409, "too_many_siblings")
        context = (await api.get("notes/k")).headers["Tidegate-Context"]
        assert (await api.put("notes", "k", b"5", Tidegate_Context=context)).status == 200
        assert (await api.get("notes/k")).body == b"5"


async def test_a_patch_merges_json(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        patch = "application/merge-patch+json"
        assert (await api.ask("PATCH", "settings/k", b'{"a":1}', Content_Type=patch)).status == 201
        assert (await api.ask("PATCH", "settings/k", b'{"b":2}', Content_Type=patch)).status == 200
        assert (await api.get("settings/k")).json() == {"a": 1, "b": 2}
        assert (await api.ask("PATCH", "settings/k", b"{", Content_Type=patch)).status == 422
        assert (await api.ask("PATCH", "settings/k", b"{}", Content_Type="text/plain")).status == 415


async def test_a_repeated_operation_gets_the_first_answer_and_a_reused_id_is_refused(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        first = await api.put("notes", "k", b"1", Tidegate_Op_Id="desk:1")
        again = await api.put("notes", "k", b"1", Tidegate_Op_Id="desk:1")
        assert (again.status, again.headers["ETag"]) == (201, first.headers["ETag"])
        other = await api.put("notes", "k", b"2", Tidegate_Op_Id="desk:1")
        assert (other.status, other.reason) == (422, "operation_id_reused")
        assert (await api.put("notes", "l", b"1", Idempotency_Key="a word")).status == 201
        assert (await api.put("notes", "l", b"1", Idempotency_Key="a word")).status == 201
        assert (await api.get("notes/l")).status == 200
        assert (await api.put("notes", "l", b"2", Idempotency_Key="a word")).status == 422


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Tidegate_Context": "forged"}, "bad_context"),
        ({"Tidegate_Session": "forged"}, "bad_session"),
        ({"Tidegate_Op_Id": "nonsense"}, "bad_operation_id"),
        ({"Tidegate_Op_Id": "a:1", "Idempotency_Key": "b"}, "bad_operation_id"),
        ({"Tidegate_Write_Level": "most"}, "bad_write_level"),
        ({"Content_Type": "nonsense"}, "bad_content_type"),
        ({"Content_Type": "application/json"}, "invalid_json"),
    ],
)
async def test_what_is_asked_wrongly_is_refused_and_changes_nothing(
    tmp_path: Path, headers: dict[str, str], reason: str
) -> None:
    async with DataApi(tmp_path) as api:
        refused = await api.put("notes", "k", b"no json", **headers)
        assert (refused.status, refused.reason) == (400, reason)
        assert (await api.get("notes/k")).status == 404


async def test_no_bit_of_a_token_can_be_changed_and_no_other_meshs_token_is_taken(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        written = await api.put("notes", "k", b"1")
        for name, reason in (("Tidegate-Context", "bad_context"), ("Tidegate-Session", "bad_session")):
            token = written.headers[name]
            field = name.replace("-", "_")
            for at in range(0, len(token), 7):
                other = "A" if token[at] != "A" else "B"
                forged = await api.put("notes", "k", b"2", **{field: token[:at] + other + token[at + 1 :]})
                assert (forged.status, forged.reason) == (400, reason)
        foreign = seal(SessionToken("note", 1 << 60, {"notes": {"us:aaaa.bbbb": 7}}), Signer([b"another mesh"]))
        assert (await api.put("notes", "k", b"2", Tidegate_Session=foreign)).reason == "bad_session"
        crossed = written.headers["Tidegate-Session"]
        assert (await api.put("notes", "k", b"2", Tidegate_Context=crossed)).reason == "bad_context"
        assert (await api.get("notes/k")).body == b"1"


async def test_a_full_disk_refuses_writes_with_507_while_all_else_goes_on_and_ends_without_a_restart(
    tmp_path: Path,
) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "k", b"1")
        connection = api.store._files["note"].ledger.connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        refused = await api.put("notes", "big", b"x" * MAX_VALUE, Tidegate_Op_Id="desk:1")
        assert (refused.status, refused.reason, refused.headers["Retry-After"]) == (507, "store_full", "1")
        item = {"method": "PUT", "collection": "notes", "key": "big", "value_base64": "eHh4" * 20000}
        other = {"method": "PUT", "collection": "settings", "key": "s", "value": 1}
        body = msgspec.json.encode({"operations": [item, other]})
        results = (await api.ask("POST", "batch", body)).json()["results"]
        assert [one["status"] for one in results] == [507, 201], "another class has a file of its own"
        assert (await api.get("notes/k")).body == b"1"
        assert [one["key"] for one in (await api.get("notes")).json()["items"]] == ["k"]
        connection.execute("PRAGMA max_page_count = 1000000")
        again = await api.put("notes", "big", b"x" * MAX_VALUE, Tidegate_Op_Id="desk:1")
        assert again.status == 201, "the same operation, done once there is room"


async def test_a_read_that_asked_to_see_more_than_this_store_does_or_says_so(tmp_path: Path) -> None:
    async with DataApi(tmp_path, regions=("eu", "us")) as api:
        asked: list[bool] = []
        answers = [
            Passed(is_caught_up=True, silent=()),
            Passed(is_caught_up=False, silent=("http://us",)),
            Passed(is_caught_up=False, silent=()),
        ]

        async def barrier(stream: str, *, timeout_s: float, own_region_only: bool) -> Passed:
            asked.append(own_region_only)
            return answers.pop(0)

        api.records.barrier = barrier
        await api.put("notes", "k", b"1")
        assert (await api.get("notes/k")).status == 200
        assert (await api.get("notes/k", Tidegate_Read_Level="global")).status == 200
        silent = await api.get("notes/k", Tidegate_Read_Level="global")
        assert (silent.status, silent.reason) == (503, "read_level_not_reached")
        assert "http://us did not answer" in silent.json()["detail"]
        assert (await api.get("notes", Tidegate_Read_Level="regional")).status == 503
        assert asked == [False, False, True]
        assert (await api.get("notes/k", Tidegate_Read_Level="most")).reason == "bad_read_level"


async def test_a_context_fits_its_own_key_only(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        context = (await api.put("notes", "k", b"1")).headers["Tidegate-Context"]
        assert (await api.put("notes", "l", b"1", Tidegate_Context=context)).reason == "bad_context"


async def test_values_and_collections_that_may_not_be_are_refused(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        assert (await api.put("notes", "k", b"x" * (MAX_VALUE + 1))).status == 413
        assert (await api.put("notes", "k", b"x" * MAX_VALUE)).status == 201
        assert (await api.put("nothing", "k", b"1")).reason == "unknown_collection"
        abroad = await api.put("abroad", "k", b"1")
        assert (abroad.status, abroad.reason) == (421, "region_may_not_hold")


async def test_a_list_is_pages_by_prefix(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        for key in ("a1", "a2", "a3", "b1"):
            await api.put("settings", key, b"v")
        first = (await api.get("settings?prefix=a&limit=2")).json()
        assert ([item["key"] for item in first["items"]], first["next"]) == (["a1", "a2"], "a2")
        assert first["items"][0]["size"] == 1
        second = (await api.get("settings?prefix=a&limit=2&after=a2")).json()
        assert ([item["key"] for item in second["items"]], second["next"]) == (["a3"], None)
        assert (await api.get("settings?limit=0")).reason == "bad_limit"


async def test_a_session_is_never_answered_with_less_than_it_has_seen(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        written = await api.put("notes", "k", b"1")
        token = unseal(written.headers["Tidegate-Session"], SIGNER)
        assert token is not None
        assert (await api.get("notes/k", Tidegate_Session=written.headers["Tidegate-Session"])).status == 200
        ahead = SessionToken("note", token.hlc, {"notes": {"us:aaaa.bbbb": 7}})
        behind = await api.get("notes/k", Tidegate_Session=seal(ahead, SIGNER))
        assert (behind.status, behind.reason, behind.headers["Retry-After"]) == (503, "behind_session", "1")
        other = SessionToken("settings", 0, {"settings": {"us:aaaa.bbbb": 7}})
        assert (await api.get("notes/k", Tidegate_Session=seal(other, SIGNER))).status == 200


@dataclass
class Reached:
    durability: Durability


async def test_a_write_waits_for_the_level_that_was_asked_and_says_what_was_reached(tmp_path: Path) -> None:
    asked: list[tuple[str, Durability]] = []

    async def confirm(stream: str, dot: Dot, wanted: Durability, *, timeout_s: float) -> Reached:
        asked.append((stream, wanted))
        return Reached("majority")

    async with DataApi(tmp_path, confirm=confirm, regions=("eu", "us", "ap")) as api:
        local = await api.put("notes", "a", b"1")
        assert (local.status, local.headers["Tidegate-Durability"]) == (201, "local")
        majority = await api.put("notes", "b", b"1", Tidegate_Write_Level="majority")
        assert (majority.status, majority.headers["Tidegate-Durability"]) == (201, "majority")
        everywhere = await api.put("notes", "c", b"1", Tidegate_Write_Level="global")
        assert (everywhere.status, everywhere.headers["Tidegate-Durability"]) == (202, "majority")
        assert asked == [("notes", "majority"), ("notes", "global")]
        assert (await api.get("notes/c")).body == b"1"
