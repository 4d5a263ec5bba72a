"""What operators ask of a real store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sync.api import operating
from sync.api.operating import Distrusted, Found, Retry
from sync.api.problems import Problem
from sync.core.dots import Dot
from sync.core.operation import decode_head, without_value
from sync.core.writes import Write
from tests.harness.data_api import DataApi
from tests.harness.replicas import Replica, plan


class Told:
    """Replication's part, by hand."""

    def __init__(self, *found: Distrusted) -> None:
        self.found = list(found)
        self.why: dict[str, Found] = {}

    def distrusted(self) -> Sequence[Distrusted]:
        return self.found

    async def quarantined(self, stream: str) -> Mapping[str, Found]:
        return self.why

    async def ask_again(self, stream: str, origin: str | None) -> int:
        return len(self.why)

    async def give_up(self, stream: str, dot: Dot) -> bool:
        return self.why.pop(f"{dot[1]}@{dot[0]}", None) is not None

    def trust_again(self, stream: str, origin: str) -> Sequence[str]:
        peers = [one.peer for one in self.found if (one.collection, one.origin) == (stream, origin)]
        self.found = [one for one in self.found if (one.collection, one.origin) != (stream, origin)]
        return peers


async def test_each_collection_is_told_with_its_figures_or_why_there_are_none(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("forms", "k", b"1")
        await api.put("forms", "k", b"2")
        found = {
            one["collection"]: one
            for one in await operating.collections(api.records, {"settings": "its file is damaged"})
        }
        assert found["forms"]["figures"]["keys"] == 1
        assert found["forms"]["figures"]["in_conflict"] == 1
        assert found["forms"]["origin"].startswith("eu:")
        assert (found["settings"]["fault"], found["settings"]["figures"]) == ("its file is damaged", None)
        assert (found["abroad"]["here"], found["abroad"]["figures"]) == (False, None)


async def test_what_the_clock_holds_back_is_listed_and_applied_once_it_may_be(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        ahead = Replica("us", plan("vector_clock", name="notes"))
        ahead.write(b"from the future", now=api.now + 60)
        await api.store.receive("notes", ahead.missing({}), now=api.now)
        (held,) = (await operating.quarantine(api.records, None, collection=None, limit=10))["held"]
        assert (held["collection"], held["key"], held["reason"]) == ("notes", "k", "future")
        assert held["visible_at"] is not None
        early = await operating.retry(api.records, None, Retry("notes"))
        assert (early["applied"], early["held"]) == (0, 1)
        api.now += 60
        late = await operating.retry(api.records, None, Retry("notes"))
        assert (late["applied"], late["held"]) == (1, 0)
        assert (await api.get("notes/k")).body == b"from the future"


async def test_an_origin_that_was_given_up_is_asked_for_again_by_a_persons_word(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        told = Told(Distrusted("a", "notes", "us:s.1", "a fork"), Distrusted("b", "notes", "ap:s.1", "a fork"))
        listed = await operating.quarantine(api.records, told, collection="notes", limit=10)
        assert [one["origin"] for one in listed["distrusted"]] == ["us:s.1", "ap:s.1"]
        assert (await operating.quarantine(api.records, told, collection="forms", limit=10))["distrusted"] == []
        assert (await operating.retry(api.records, told, Retry("notes", origin="us:s.1")))["asked_again"] == ["a"]
        assert [one.peer for one in told.found] == ["b"]
        assert (await operating.retry(api.records, told, Retry("notes")))["asked_again"] == ["b"]


async def test_what_is_quarantined_is_listed_with_its_reason_and_can_be_given_up(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        peer = Replica("us", plan("vector_clock", name="notes"))
        peer.write(b"value", now=api.now)
        (sealed,) = peer.missing({})
        await api.store.receive("notes", [without_value(sealed)], now=api.now, poison=[(peer.origin, 1)])
        told = Told()
        told.why = {f"1@{peer.origin}": Found("a value that is not its", "http://us:9443", api.now)}
        (held,) = (await operating.quarantine(api.records, told, collection="notes", limit=10))["held"]
        assert (held["reason"], held["why"], held["peer"]) == (
            "quarantined",
            "a value that is not its",
            "http://us:9443",
        )
        assert held["since"].startswith("20")
        assert (await operating.retry(api.records, told, Retry("notes")))["mended"] == 1
        done = await operating.release(api.records, told, Retry("notes", "release", version=held["version"]))
        assert done == {"collection": "notes", "released": held["version"], "held": 1}
        for version in (held["version"], None, "nonsense", "1", f"{'9' * 30}@us:a.b", "\u0661@us:a.b"):
            with pytest.raises(Problem) as refused:
                await operating.release(api.records, told, Retry("notes", "release", version=version))
            assert refused.value.reason == "not_quarantined"


async def test_what_there_is_not_is_refused(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        with pytest.raises(Problem) as unknown:
            await operating.quarantine(api.records, None, collection="nonsense", limit=10)
        assert unknown.value.reason == "unknown_collection"
        with pytest.raises(Problem) as elsewhere:
            await operating.retry(api.records, None, Retry("abroad"))
        assert elsewhere.value.reason == "region_may_not_hold"
        with pytest.raises(Problem):
            await operating.quarantine(api.records, None, collection=None, limit=0)


async def test_the_actor_of_a_write_is_in_its_operation(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "k", b"1", Tidegate_Actor="client:Ann%20B%C3%A9")
        await api.store.write([Write(stream="notes", key="x", kind="put", value=b"")], now=api.now)
        found = await api.store.operations_after("notes", {}, max_operations=10, max_bytes=1 << 20)
        assert [decode_head(one.head).actor for one in found] == ["client:Ann B\N{LATIN SMALL LETTER E WITH ACUTE}", ""]
        assert (await api.put("notes", "k", b"1", Tidegate_Actor="a" * 300)).reason == "bad_actor"
