from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tests.harness.data_api import MAX_VALUE, DataApi


async def send(api: DataApi, *operations: Any) -> list[dict[str, Any]]:
    answer = await api.ask("POST", "batch", msgspec.json.encode({"operations": operations}))
    assert answer.status == 200, answer.body
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def item(key: str, **fields: Any) -> dict[str, Any]:
    found = {"method": "PUT", "collection": "notes", "key": key, "value": {"v": 1}, **fields}
    if "value_base64" in fields or found["method"] == "DELETE":
        del found["value"]
    return found


async def test_each_item_is_judged_alone_in_order(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        results = await send(
            api,
            item("a", op_id="desk:1"),
            item("b", collection="nothing"),
            {"method": "NONSENSE", "op_id": "desk:3"},
            item("c", value="x" * (MAX_VALUE + 1)),
            item("d", collection="settings", value_base64="aGk=", content_type="text/plain"),
            item("a", method="PATCH", value={"w": 2}),
            item("a", method="DELETE"),
            "no object",
        )
        assert [result["status"] for result in results] == [201, 404, 400, 413, 201, 200, 204, 400]
        assert (results[0]["op_id"], results[2]["op_id"]) == ("desk:1", "desk:3")
        assert results[1]["problem"]["reason"] == "unknown_collection"
        assert (await api.get("settings/d")).body == b"hi"
        assert (await api.get("notes/a")).status == 404


async def test_a_queue_sent_twice_is_done_once(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        queue = [item("k", op_id=f"desk:{at}", collection="settings", value=at) for at in range(1, 20)]
        first = await send(api, *queue[:10])
        second = await send(api, *queue)
        assert [result["status"] for result in first] == [result["status"] for result in second[:10]]
        assert (await api.get("settings/k")).json() == 19
        assert (await api.store.stats("settings")).log_operations == 19


async def test_a_context_from_a_result_is_that_of_the_key(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        (result,) = await send(api, item("k"))
        (again,) = await send(api, item("k", context=result["context"], value=2))
        assert again["status"] == 200
        assert (await api.get("notes/k")).json() == 2


async def test_a_blind_item_for_a_key_that_waits_for_a_person_is_refused(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("forms", "k", b"1")
        await api.put("forms", "k", b"2")
        (result,) = await send(api, item("k", collection="forms"))
        assert (result["status"], result["problem"]["reason"]) == (409, "in_conflict")


async def test_what_is_no_batch_is_refused(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        assert (await api.ask("POST", "batch", b"nonsense")).reason == "bad_batch"
        assert (await api.ask("POST", "batch", b'{"operations": [], "more": 1}')).reason == "bad_batch"
        many = msgspec.json.encode({"operations": [1] * 1001})
        assert (await api.ask("POST", "batch", many)).reason == "batch_too_large"
