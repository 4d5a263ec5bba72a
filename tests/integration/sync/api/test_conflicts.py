from __future__ import annotations

from pathlib import Path

import msgspec

from tests.harness.data_api import DataApi


async def test_a_person_sees_all_versions_and_resolves_them_by_an_operation(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("forms", "k", b"1")
        await api.put("forms", "k", b"2")
        await api.put("forms", "calm", b"3")
        (waiting,) = (await api.get("forms/conflicts")).json()["items"]
        assert (waiting["key"], len(waiting["versions"])) == ("k", 2)
        shown = (await api.get("forms/k/conflict")).json()
        chosen = shown["siblings"][1]
        body = msgspec.json.encode({"context": shown["context"], "choose": chosen["version"]})
        assert (await api.ask("POST", "forms/k/conflict", body)).status == 200
        assert (await api.get("forms/k")).body in {b"1", b"2"}
        assert (await api.get("forms/conflicts")).json() == {"items": [], "next": None}
        assert (await api.get("forms/k/conflict")).reason == "not_in_conflict"
        assert (await api.ask("POST", "forms/k/conflict", body)).reason == "not_in_conflict"


async def test_a_resolution_that_is_none_changes_nothing(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("forms", "k", b"1")
        await api.put("forms", "k", b"2")
        context = (await api.get("forms/k/conflict")).json()["context"]
        for body, reason in (
            ({"context": context}, "bad_resolution"),
            ({"context": context, "choose": "9@nobody"}, "no_such_version"),
            ({"context": "forged", "value": 1}, "bad_context"),
            ({"value": 1}, "bad_resolution"),
            ({"context": context, "value_base64": "?"}, "bad_resolution"),
        ):
            assert (await api.ask("POST", "forms/k/conflict", msgspec.json.encode(body))).reason == reason
        assert (await api.get("forms/k")).status == 300
        merged = msgspec.json.encode({"context": context, "value": {"merged": True}})
        assert (await api.ask("POST", "forms/k/conflict", merged)).status == 200
        assert (await api.get("forms/k")).json() == {"merged": True}


async def test_what_lost_by_the_clock_is_listed_with_its_value(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        first = await api.put("settings", "k", b"1")
        await api.put("settings", "k", b"2")
        await api.put("settings", "k", b"3", Tidegate_Context=first.headers["Tidegate-Context"])
        (lost,) = (await api.get("settings/conflicts")).json()["items"]
        assert (lost["key"], lost["value_base64"], lost["state"]) == ("k", "Mg==", "lost")
        assert (await api.get("settings/conflicts?after=nonsense")).reason == "bad_after"
