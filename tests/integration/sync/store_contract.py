"""What every store must do. A test module for a store inherits `StoreContract` and provides the fixture `make`.

make(region, **plan changes) -> a Store of that region, closed by the fixture
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from sync.core.absorbing import Entry, Page, TooEarly
from sync.core.digests import KeyRange
from sync.core.loss_log import KnownLoss
from sync.core.op_ids import Done, OpId, of_idempotency_key
from sync.core.operation import Malformed, Sealed, decode_head, head_bytes, without_value
from sync.core.versions import KeyState
from sync.core.writes import Refusal, Write, Written
from sync.errors import CursorExpired, UnknownStream
from sync.store import Cursor, Store
from tests.harness.replicas import Replica, plan

NOW = 1_700_000_000.0
NOTES, SETTINGS = "notes", "settings"
"""The first keeps siblings, the second is last_write_wins."""

Make = Callable[..., Awaitable[Store]]


def put(key: str, value: bytes, stream: str = NOTES, **asked: Any) -> Write:
    return Write(**{"stream": stream, "key": key, "kind": "put", "value": value, "content_type": "text/plain", **asked})


async def wrote(store: Store, *writes: Write, now: float = NOW) -> list[Written]:
    results = await store.write(writes, now=now)
    assert all(isinstance(result, Written) for result in results), results
    return [result for result in results if isinstance(result, Written)]


async def refused(store: Store, write: Write, now: float = NOW) -> Refusal:
    (result,) = await store.write([write], now=now)
    assert isinstance(result, Refusal)
    return result


async def values(store: Store, key: str, stream: str = NOTES) -> list[bytes | None]:
    record = await store.read(stream, key)
    return [] if record is None else [body.value for body in record.bodies]


async def pull(to: Store, source: Store, stream: str = NOTES, *, now: float = NOW) -> None:
    """All that `to` lacks, in small batches."""
    while True:
        have = (await to.heads(stream)).received
        operations = await source.operations_after(stream, have, max_operations=3, max_bytes=1 << 20)
        if not operations:
            return
        receipt = await to.receive(stream, operations, now=now)
        assert receipt.problem is None, receipt


async def _poison(here: Store, there: Store) -> list[Sealed]:
    """`there` has got the first of three writes of `here` damaged; the third is to the same key. What was sent."""
    await wrote(here, put("a", b"1"), put("b", b"2"), put("a", b"3"))
    sent = await here.operations_after(NOTES, {}, max_operations=9, max_bytes=1 << 20)
    damaged = msgspec.structs.replace(sent[0], value=b"!")
    receipt = await there.receive(NOTES, [damaged, *sent[1:]], now=NOW)
    assert receipt.problem is not None
    dot = (here.origin(NOTES), 1)
    assert receipt.problem.poison == dot
    receipt = await there.receive(NOTES, [damaged, *sent[1:]], now=NOW, poison=[dot])
    assert (receipt.problem, receipt.held, receipt.applied) == (None, 2, 1)
    return sent


class StoreContract:
    """Inherited by the tests of each store."""

    async def test_what_was_written_is_read(self, make: Make) -> None:
        store = await make("eu")
        (written,) = await wrote(store, put("k", b"v"))
        assert (written.status, written.seq, written.origin) == (201, 1, store.origin(NOTES))
        record = await store.read(NOTES, "k")
        assert record is not None
        assert [body.value for body in record.bodies] == [b"v"]
        assert record.bodies[0].version.content_type == "text/plain"
        assert await store.read(NOTES, "other") is None

    async def test_a_batch_is_judged_item_by_item(self, make: Make) -> None:
        store = await make("eu")
        results = await store.write(
            [put("a", b"1"), put("a", b"2", must_be_absent=True), put("b", b"3"), put("c", b"4", SETTINGS)], now=NOW
        )
        assert [result.status for result in results] == [201, 412, 201, 201]
        assert (await values(store, "a"), await values(store, "b")) == ([b"1"], [b"3"])
        assert await values(store, "c", SETTINGS) == [b"4"]

    async def test_sequences_have_no_gaps_per_stream(self, make: Make) -> None:
        store = await make("eu")
        await asyncio.gather(*(wrote(store, put(f"k{at}", b"v"), put(f"k{at}", b"w", SETTINGS)) for at in range(20)))
        for stream in (NOTES, SETTINGS):
            operations = await store.operations_after(stream, {}, max_operations=100, max_bytes=1 << 20)
            assert [decode_head(sealed.head).seq for sealed in operations] == list(range(1, 21))

    async def test_deletes_hide_the_key_and_are_remembered(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, put("k", b"v", SETTINGS))
        (gone,) = await wrote(store, put("k", b"", SETTINGS, kind="delete"))
        assert gone.status == 204
        assert await values(store, "k", SETTINGS) == []
        assert await store.list_keys(SETTINGS, prefix="", after="", limit=10) == []
        assert (await store.stats(SETTINGS)).tombstones == 1

    async def test_concurrent_versions_are_kept_until_somebody_who_read_them_writes(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, put("k", b"1"), put("k", b"2"))
        assert sorted(await values(store, "k")) == [b"1", b"2"]  # type: ignore[type-var]
        (listed,) = await store.in_conflict(NOTES, after="", limit=10)
        assert listed.key == "k"
        await wrote(store, put("k", b"3", context=listed.state.context))
        assert await values(store, "k") == [b"3"]
        assert await store.in_conflict(NOTES, after="", limit=10) == []
        assert (await store.stats(NOTES)).in_conflict == 0

    async def test_patches_merge_into_what_is_stored(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, put("k", b'{"a":1}', SETTINGS))
        await wrote(
            store, put("k", b'{"b":2}', SETTINGS, kind="patch"), put("k", b'{"a":null}', SETTINGS, kind="patch")
        )
        assert await values(store, "k", SETTINGS) == [b'{"b":2}']

    async def test_an_operation_id_is_done_once_also_in_another_batch_and_after_replication(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        asked = put("k", b"v", op_id=OpId("desk", 7), request=b"r")
        (first, again) = await wrote(here, asked, asked)
        assert (again.is_replay, again.seq) == (True, first.seq)
        await pull(there, here)
        (elsewhere,) = await wrote(there, asked)
        assert (elsewhere.is_replay, elsewhere.origin) == (True, here.origin(NOTES))
        assert (await refused(there, msgspec.structs.replace(asked, request=b"s"))).reason == "operation_id_reused"
        key = of_idempotency_key("word")
        await wrote(here, put("l", b"v", op_id=key, request=b"r"))
        assert (await wrote(here, put("l", b"v", op_id=key, request=b"r")))[0].is_replay

    async def test_an_operation_sent_to_two_regions_is_one_version(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        asked = put("k", b"v", op_id=OpId("desk", 7), request=b"r")
        await wrote(here, asked)
        await wrote(there, asked)
        await pull(there, here)
        await pull(here, there)
        assert await values(here, "k") == await values(there, "k") == [b"v"]

    async def test_lists_are_pages_in_key_order_by_prefix(self, make: Make) -> None:
        store = await make("eu")
        keys = ["a", "b/1", "b/2", "b/ä", "b/\U0001f600", "c"]
        await wrote(store, *(put(key, b"v") for key in keys))
        found: list[str] = []
        while page := await store.list_keys(NOTES, prefix="b/", after=found[-1] if found else "", limit=2):
            found += [listed.key for listed in page]
        assert found == ["b/1", "b/2", "b/ä", "b/\U0001f600"]
        every = await store.list_keys(NOTES, prefix="", after="", limit=100)
        assert [listed.key for listed in every] == keys

    async def test_the_feed_gives_what_keys_hold_in_the_order_it_was_applied(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, put("a", b"1", SETTINGS), put("b", b"2", SETTINGS), put("a", b"3", SETTINGS))
        page = await store.changes(SETTINGS, None, limit=10, max_bytes=1 << 20)
        assert [(change.operation.key, change.value) for change in page.changes] == [("b", b"2"), ("a", b"3")]
        await wrote(store, put("b", b"", SETTINGS, kind="delete"))
        more = await store.changes(SETTINGS, page.next, limit=10, max_bytes=1 << 20)
        assert [(change.operation.key, change.value) for change in more.changes] == [("b", None)]
        assert (await store.changes(SETTINGS, more.next, limit=10, max_bytes=1 << 20)).changes == ()

    async def test_the_feed_is_bounded_by_items_and_bytes_and_goes_on_where_it_stopped(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, *(put(f"k{at}", b"x" * 100) for at in range(10)))
        found: list[str] = []
        cursor: Cursor | None = None
        for _ in range(4):
            page = await store.changes(NOTES, cursor, limit=4, max_bytes=350)
            assert 1 <= len(page.changes) <= 3
            found += [change.operation.key for change in page.changes]
            cursor = page.next
        assert found == [f"k{at}" for at in range(10)]

    async def test_a_cursor_goes_on_in_another_store(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("a", b"1"))
        await wrote(there, put("b", b"2"))
        await pull(there, here)
        cursor = await here.cursor(NOTES)
        await wrote(here, put("c", b"3"))
        await pull(there, here)
        page = await there.changes(NOTES, cursor, limit=10, max_bytes=1 << 20)
        assert sorted(change.operation.key for change in page.changes) == ["b", "c"]

    async def test_the_feed_tells_an_operation_that_was_sent_to_two_regions_once(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        asked = put("k", b"v", op_id=OpId("desk", 7), request=b"r")
        await wrote(there, asked)
        await wrote(here, asked)
        early, foreign = await here.cursor(NOTES), await there.cursor(NOTES)
        await pull(here, there)
        await wrote(here, put("l", b"w"))
        (listed,) = await here.list_keys(NOTES, prefix="k", after="", limit=9)
        name = listed.state.versions[0].name
        for cursor, told in ((None, ["k", "l"]), (early, ["l"]), (foreign, ["l"])):
            page = await here.changes(NOTES, cursor, limit=10, max_bytes=1 << 20)
            assert [change.operation.key for change in page.changes] == told
            assert page.changes[0].version == (name if told[0] == "k" else f"2@{here.origin(NOTES)}")

    async def test_who_waits_for_a_change_is_woken_by_it(self, make: Make) -> None:
        store = await make("eu")
        end = await store.cursor(NOTES)
        assert not await store.wait_for_change({NOTES: end.position}, timeout_s=0.01)
        waiting = asyncio.gather(*(store.wait_for_change({NOTES: end.position}, timeout_s=30) for _ in range(3)))
        await asyncio.sleep(0)
        await wrote(store, put("a", b"1", SETTINGS), put("a", b"1"))
        assert await waiting == [True, True, True]

    async def test_operations_replicate_through_a_third_store(self, make: Make) -> None:
        here, between, there = await make("eu"), await make("us"), await make("ap")
        await wrote(here, *(put(f"k{at}", b"v%d" % at) for at in range(10)))
        await wrote(between, put("own", b"o"))
        await pull(between, here)
        await pull(there, between)
        assert await values(there, "k7") == [b"v7"]
        assert await values(there, "own") == [b"o"]
        assert (await there.heads(NOTES)) == (await between.heads(NOTES))

    async def test_receiving_again_changes_nothing(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("k", b"v"))
        operations = await here.operations_after(NOTES, {}, max_operations=10, max_bytes=1 << 20)
        assert (await there.receive(NOTES, operations, now=NOW)).applied == 1
        receipt = await there.receive(NOTES, operations * 2, now=NOW)
        assert (receipt.applied, receipt.duplicates) == (0, 2)
        assert (await there.stats(NOTES)).log_operations == 1

    async def test_losers_by_the_clock_are_recorded_with_their_values_on_both_sides(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("k", b"early", SETTINGS))
        await wrote(there, put("k", b"late", SETTINGS), now=NOW + 0.1)
        await pull(there, here, SETTINGS, now=NOW + 1)
        await pull(here, there, SETTINGS, now=NOW + 1)
        for store in (here, there):
            assert await values(store, "k", SETTINGS) == [b"late"]
            (record,) = await store.conflict_log(SETTINGS, after=None, limit=10)
            assert record.key == "k"
            assert await store.value_of(SETTINGS, record.loser.dot) == b"early"
            assert record.winner == (there.origin(SETTINGS), 1)
            assert await store.conflict_log(SETTINGS, after=record.loser.dot, limit=10) == []

    async def test_a_batch_with_a_fault_in_it_keeps_what_came_before(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("a", b"1"), put("b", b"2"), put("c", b"3"))
        first, second, third = await here.operations_after(NOTES, {}, max_operations=10, max_bytes=1 << 20)
        damaged = msgspec.structs.replace(second, value=b"!")
        receipt = await there.receive(NOTES, [first, damaged, third], now=NOW)
        assert receipt.applied == 1
        assert receipt.problem is not None
        assert (receipt.problem.kind, receipt.problem.index) == ("malformed", 1)
        gap = await there.receive(NOTES, [third], now=NOW)
        assert gap.problem is not None
        assert gap.problem.kind == "gap"
        assert (await there.receive(NOTES, [second, third], now=NOW)).applied == 2

    async def test_what_lies_in_the_future_waits_is_passed_on_and_appears_in_time(self, make: Make) -> None:
        here, there, third = await make("eu"), await make("us"), await make("ap")
        await wrote(here, put("k", b"v"), now=NOW + 60)
        await pull(there, here)
        assert await values(there, "k") == []
        heads = await there.heads(NOTES)
        assert (heads.received, heads.applied) == ({here.origin(NOTES): 1}, {})
        (held,) = await there.held(NOTES, limit=10)
        assert held.reason == "future"
        assert held.visible_at == pytest.approx(NOW + 60, abs=1)
        await pull(third, there, now=NOW + 60)
        assert await values(third, "k") == [b"v"]
        assert await there.release_held(NOTES, now=NOW) == 0
        assert await there.release_held(NOTES, now=NOW + 60) == 1
        assert await values(there, "k") == [b"v"]
        assert (await there.heads(NOTES)).applied == {here.origin(NOTES): 1}
        assert await there.held(NOTES, limit=10) == []

    async def test_a_new_incarnation_writes_from_one_and_keeps_what_was(self, make: Make) -> None:
        store, peer = await make("eu"), await make("us")
        await wrote(store, put("k", b"1", SETTINGS))
        await pull(peer, store, SETTINGS)
        old = store.origin(SETTINGS)
        new = await store.renew_incarnation(SETTINGS, reason="a test")
        assert new != old
        assert new.rpartition(".")[0] == old.rpartition(".")[0]
        (written,) = await wrote(store, put("k", b"2", SETTINGS))
        assert (written.origin, written.seq) == (new, 1)
        await pull(peer, store, SETTINGS)
        assert await values(peer, "k", SETTINGS) == [b"2"]

    async def test_a_store_that_is_told_of_its_own_future_says_so(self, make: Make) -> None:
        store, peer = await make("eu"), await make("us")
        await wrote(store, put("k", b"1"))
        (sealed,) = await store.operations_after(NOTES, {}, max_operations=10, max_bytes=1 << 20)
        head = decode_head(sealed.head)
        await pull(peer, store)
        later = msgspec.structs.replace(head, seq=2)
        receipt = await store.receive(
            NOTES, [msgspec.structs.replace(sealed, head=msgspec.msgpack.encode(later))], now=NOW
        )
        assert receipt.problem is not None
        assert receipt.problem.kind == "own_future"

    async def test_acknowledgements_never_go_back(self, make: Make) -> None:
        store = await make("eu")
        await store.acknowledge(NOTES, "us:peer.life1", {"eu:aaaa.bbbb": 3, "us:cccc.dddd": 1})
        await store.acknowledge(NOTES, "us:peer.life1", {"eu:aaaa.bbbb": 2, "ap:eeee.ffff": 1})
        assert await store.acknowledged(NOTES) == {
            "us:peer.life1": {"eu:aaaa.bbbb": 3, "us:cccc.dddd": 1, "ap:eeee.ffff": 1}
        }

    async def test_only_what_everybody_has_seen_is_forgotten(self, make: Make) -> None:
        store, peer = await make("eu"), await make("us")
        await wrote(store, put("a", b"1", SETTINGS), put("a", b"2", SETTINGS), put("b", b"3", SETTINGS))
        await wrote(store, put("b", b"", SETTINGS, kind="delete"))
        before = await store.cursor(SETTINGS)
        origin = store.origin(SETTINGS)
        assert await store.prune(SETTINGS, {}, keep=0) == 0
        assert await store.prune(SETTINGS, {origin: 1}, keep=0) == 1
        assert (await store.stats(SETTINGS)).tombstones == 1
        assert await store.prune(SETTINGS, {origin: 4}, keep=0) == 2
        stats = await store.stats(SETTINGS)
        assert (stats.keys, stats.tombstones, stats.log_operations) == (1, 0, 1)
        assert await values(store, "a", SETTINGS) == [b"2"]
        assert (await store.changes(SETTINGS, before, limit=10, max_bytes=100)).changes == ()
        with pytest.raises(CursorExpired):
            await store.operations_after(SETTINGS, {}, max_operations=10, max_bytes=100)
        assert await peer.operations_after(SETTINGS, {}, max_operations=10, max_bytes=100) == []

    async def test_a_cursor_from_before_a_forgotten_delete_is_told_so(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, put("a", b"1", SETTINGS))
        old = await store.cursor(SETTINGS)
        await wrote(store, put("a", b"", SETTINGS, kind="delete"), put("b", b"2", SETTINGS))
        await store.prune(SETTINGS, (await store.heads(SETTINGS)).applied, keep=0)
        with pytest.raises(CursorExpired):
            await store.changes(SETTINGS, old, limit=10, max_bytes=100)
        foreign = Cursor(SETTINGS, "us:aaaa.bbbb", 5, old.applied)
        with pytest.raises(CursorExpired):
            await store.changes(SETTINGS, foreign, limit=10, max_bytes=100)

    async def test_losers_stay_readable_while_they_are_recorded(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("k", b"early", SETTINGS))
        await wrote(there, put("k", b"late", SETTINGS), now=NOW + 0.1)
        await pull(here, there, SETTINGS, now=NOW + 1)
        await here.prune(SETTINGS, (await here.heads(SETTINGS)).applied, keep=0)
        (record,) = await here.conflict_log(SETTINGS, after=None, limit=10)
        assert await here.value_of(SETTINGS, record.loser.dot) == b"early"

    async def test_streams_that_are_not_kept_here_are_unknown(self, make: Make) -> None:
        store = await make("eu")
        with pytest.raises(UnknownStream):
            await store.read("nobody", "k")
        with pytest.raises(UnknownStream):
            await store.write([put("k", b"v", "elsewhere")], now=NOW)
        assert sorted(store.streams()) == [NOTES, SETTINGS]

    async def test_a_feed_passes_over_what_was_superseded_in_bounded_pages(self, make: Make) -> None:
        store = await make("eu")
        for turn in range(50):
            await wrote(store, *(put(f"k{at}", b"%d" % turn, SETTINGS) for at in range(100)))
        cursor, found, pages = None, [], 0
        while True:
            page = await store.changes(SETTINGS, cursor, limit=60, max_bytes=1 << 20)
            pages += 1
            found += [change.operation.key for change in page.changes]
            if cursor is not None and page.next.position == cursor.position:
                break
            cursor = page.next
        assert found == [f"k{at}" for at in range(100)]
        assert pages <= 6

    async def test_a_write_behind_a_held_one_waits_with_it_and_both_come_in_order(self, make: Make) -> None:
        store = await make("eu")
        peer = Replica("us", plan("last_write_wins"))
        peer.write(b"far", now=NOW + 60)
        peer.write(b"behind", now=NOW + 60)
        receipt = await store.receive(NOTES, peer.missing({}), now=NOW)
        assert (receipt.held, receipt.problem) == (2, None)
        assert [one.reason for one in await store.held(NOTES, limit=10)] == ["future", "behind"]
        assert await store.release_held(NOTES, now=NOW + 30) == 0
        assert await store.release_held(NOTES, now=NOW + 60) == 2
        assert await values(store, "k") == [b"behind"]
        assert (await store.stats(NOTES)).held == 0
        await wrote(store, put("own", b"v"))

    async def test_what_a_later_version_wrote_is_kept_byte_for_byte_and_passed_on(self, make: Make) -> None:
        store = await make("eu")
        peer = Replica("us", plan("last_write_wins"))
        peer.write(b"v", now=NOW)
        (sealed,) = peer.missing({})
        fields = msgspec.msgpack.decode(sealed.head)
        fields[0] = 99
        later = Sealed(msgspec.msgpack.encode([*fields, "new"]), sealed.salt, sealed.value)
        assert (await store.receive(NOTES, [later], now=NOW)).held == 1
        assert await store.operations_after(NOTES, {}, max_operations=9, max_bytes=9999) == [later]
        assert (await store.heads(NOTES)).applied == {}

    # Quarantine

    async def test_a_poisoned_operation_waits_alone_with_later_writes_of_its_origin_to_its_key(
        self, make: Make
    ) -> None:
        here, there, third = await make("eu"), await make("us"), await make("ap")
        sent = await _poison(here, there)
        origin = here.origin(NOTES)
        assert (await values(there, "a"), await values(there, "b")) == ([], [b"2"])
        assert [one.reason for one in await there.held(NOTES, limit=9)] == ["quarantined", "behind"]
        assert [one.operation.seq for one in await there.held(NOTES, limit=9, reason="quarantined")] == [1]
        heads = await there.heads(NOTES)
        assert (heads.received, heads.applied) == ({origin: 3}, {})
        stats = await there.stats(NOTES)
        assert (stats.held, stats.quarantined) == (2, 1)
        await wrote(third, put("a", b"of another origin"))
        await pull(there, third)
        assert await values(there, "a") == [b"of another origin"]
        passed_on = await there.operations_after(NOTES, {third.origin(NOTES): 1}, max_operations=9, max_bytes=1 << 20)
        assert passed_on == [without_value(sent[0]), *sent[1:]]
        assert await there.logged(NOTES, [(origin, 1), (origin, 2), (origin, 3)]) == [sent[1]]
        assert await there.release_held(NOTES, now=NOW) == 0
        await wrote(here, put("c", b"4"))
        await pull(there, here)
        assert await values(there, "c") == [b"4"]

    async def test_a_sound_copy_ends_a_quarantine(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        sent = await _poison(here, there)
        damaged = msgspec.structs.replace(sent[0], value=b"!")
        assert await there.release_held(NOTES, now=NOW, sound=[damaged]) == 0
        copies = await here.logged(NOTES, [(here.origin(NOTES), 1)])
        assert copies == sent[:1]
        assert await there.release_held(NOTES, now=NOW, sound=copies) == 2
        assert sorted(await values(there, "a")) == [b"1", b"3"]  # type: ignore[type-var]
        assert await there.heads(NOTES) == await here.heads(NOTES)
        assert await there.operations_after(NOTES, {}, max_operations=9, max_bytes=1 << 20) == sent
        assert (await there.stats(NOTES)).held == 0

    async def test_a_sound_copy_that_must_wait_is_kept(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("a", b"1"), now=NOW + 60)
        sent = await here.operations_after(NOTES, {}, max_operations=9, max_bytes=1 << 20)
        damaged = msgspec.structs.replace(sent[0], value=b"!")
        poison = [(here.origin(NOTES), 1)]
        assert (await there.receive(NOTES, [damaged], now=NOW, poison=poison)).held == 1
        assert await there.release_held(NOTES, now=NOW, sound=sent) == 0
        assert [one.reason for one in await there.held(NOTES, limit=9)] == ["behind"]
        assert await there.release_held(NOTES, now=NOW + 60) == 1
        assert await values(there, "a") == [b"1"]

    async def test_a_sound_copy_of_what_a_snapshot_has_brought_meanwhile_is_no_second_one(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        sent = await _poison(here, there)
        page = await here.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        await there.absorb(NOTES, page, KeyRange(), purpose="snapshot", now=NOW)
        assert sorted(await values(there, "a")) == [b"1", b"3"]  # type: ignore[type-var]
        assert await there.operations_after(NOTES, {}, max_operations=9, max_bytes=1 << 20) == sent
        assert await there.release_held(NOTES, now=NOW, sound=sent[:1]) == 2
        stats = await there.stats(NOTES)
        assert (stats.held, stats.log_operations) == (0, 3)
        assert await there.heads(NOTES) == await here.heads(NOTES)
        assert sorted(await values(there, "a")) == [b"1", b"3"]  # type: ignore[type-var]

    async def test_a_head_that_was_damaged_too_is_replaced_by_the_sound_one(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("a", b"1"))
        (sound,) = await here.operations_after(NOTES, {}, max_operations=9, max_bytes=1 << 20)
        wrong = head_bytes(msgspec.structs.replace(decode_head(sound.head), size=9))
        poison = [(here.origin(NOTES), 1)]
        await there.receive(NOTES, [msgspec.structs.replace(sound, head=wrong)], now=NOW, poison=poison)
        assert await there.release_held(NOTES, now=NOW, sound=[sound]) == 1
        await wrote(here, put("b", b"2"))
        await pull(there, here)
        assert await there.heads(NOTES) == await here.heads(NOTES)

    async def test_what_is_skipped_counts_as_applied_and_its_key_goes_on(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        sent = await _poison(here, there)
        origin = here.origin(NOTES)
        assert not await there.skip_held(NOTES, (origin, 3)), "that one only waits"
        assert not await there.skip_held(NOTES, ("eu:aaaa.bbbb", 1))
        assert await there.skip_held(NOTES, (origin, 1))
        assert await there.release_held(NOTES, now=NOW) == 1
        assert await values(there, "a") == [b"3"]
        assert await there.heads(NOTES) == await here.heads(NOTES)
        assert ((await there.stats(NOTES)).held, await there.held(NOTES, limit=9)) == (0, [])
        assert [one.head for one in await there.operations_after(NOTES, {}, max_operations=9, max_bytes=1 << 20)] == [
            one.head for one in sent
        ]
        page = await here.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        absorbed = await there.absorb(NOTES, page, KeyRange(), purpose="comparison", now=NOW)
        assert absorbed.repaired == ("a",), "whoever holds it gives it back"
        assert sorted(await values(there, "a")) == [b"1", b"3"]  # type: ignore[type-var]
        assert await there.operations_after(NOTES, {}, max_operations=9, max_bytes=1 << 20) == sent

    # The long life: comparing, copying, forgetting

    async def test_digests_are_equal_where_stores_hold_the_same(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, *(put(f"k{at:02}", b"v") for at in range(20)))
        ranges = [KeyRange(), KeyRange("k04", "k09"), KeyRange("k09")]
        assert [one.keys for one in (await here.digests(NOTES, ranges)).digests] == [20, 5, 10]
        await pull(there, here)
        assert await here.digests(NOTES, ranges) == await there.digests(NOTES, ranges)
        await wrote(there, put("k07", b"w"))
        mine, theirs = await here.digests(NOTES, ranges), await there.digests(NOTES, ranges)
        assert [one == other for one, other in zip(mine.digests, theirs.digests, strict=True)] == [False, False, True]

    async def test_forgetting_a_tombstone_changes_no_digest(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, put("a", b"v"), put("b", b"v"))
        await wrote(store, put("b", b"", kind="delete"))
        before = (await store.digests(NOTES, [KeyRange()])).digests
        assert before[0].keys == 1
        assert await store.prune(NOTES, (await store.heads(NOTES)).applied, keep=0) == 2
        assert (await store.digests(NOTES, [KeyRange()])).digests == before

    async def test_a_range_is_split_into_about_equal_pieces(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, *(put(f"k{at:02}", b"v") for at in range(50)))
        bounds = await store.split(NOTES, KeyRange("k09"), pieces=4)
        assert bounds == ["k19", "k29", "k39"]
        assert await store.split(NOTES, KeyRange("k48"), pieces=4) == []
        assert await store.split(NOTES, KeyRange("zzz"), pieces=4) == []

    async def test_pages_are_bounded_and_go_on_where_they_stopped(self, make: Make) -> None:
        store = await make("eu")
        await wrote(store, *(put(f"k{at}", b"x" * 1000) for at in range(9)))
        await wrote(store, put("k3", b"", kind="delete"))
        found: list[str] = []
        after = ""
        while True:
            page = await store.page(NOTES, KeyRange(after, "k7"), limit=3, max_bytes=2500)
            assert 1 <= len(page.entries) <= 3
            found += [entry.key for entry in page.entries]
            if page.next is None:
                break
            after = page.next
        assert found == [f"k{at}" for at in range(8)]

    async def test_a_new_store_takes_a_snapshot_while_writes_go_on_and_then_the_log(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, *(put(f"k{at}", b"old") for at in range(9)), put("gone", b"x"))
        await wrote(here, put("gone", b"", kind="delete"))
        await here.prune(NOTES, (await here.heads(NOTES)).applied, keep=0)
        with pytest.raises(CursorExpired):
            await here.operations_after(NOTES, {}, max_operations=10, max_bytes=1 << 20)
        base, after = await here.base(NOTES), ""
        turn = 0
        while True:
            page = await here.page(NOTES, KeyRange(after), limit=2, max_bytes=1 << 20)
            await there.absorb(NOTES, page, KeyRange(after), purpose="snapshot", now=NOW)
            # Behind the snapshot, before it, and where nothing was.
            state = (await here.list_keys(NOTES, prefix="k8", after="", limit=1))[0].state
            await wrote(here, put("k8", b"%d" % turn, context=state.context), put(f"n{turn}", b"new"))
            await wrote(here, put("k1", b"", kind="delete")) if turn == 2 else None
            turn += 1
            if page.next is None:
                break
            after = page.next
        assert await there.operations_after(NOTES, {}, max_operations=10, max_bytes=1 << 20) == []
        await there.adopt(NOTES, base, horizon=page.horizon)
        await pull(there, here)
        for key in ["k0", "k1", "k8", "n0", "n1", "gone"]:
            assert await values(there, key) == await values(here, key), key
        assert await there.heads(NOTES) == await here.heads(NOTES)
        ranges = [KeyRange()]
        assert (await there.digests(NOTES, ranges)).digests == (await here.digests(NOTES, ranges)).digests
        with pytest.raises(CursorExpired):
            await there.operations_after(NOTES, {}, max_operations=10, max_bytes=1 << 20)
        third = await make("ap")
        assert (await third.receive(NOTES, [], now=NOW)).applied == 0
        have = {origin: seq for origin, (seq, _) in base.items()}
        assert len(await there.operations_after(NOTES, have, max_operations=99, max_bytes=1 << 20)) == 2 * turn + 1

    async def test_a_snapshot_leaves_both_operations_of_an_event_that_was_sent_twice_in_the_log(
        self, make: Make
    ) -> None:
        here, there, third = await make("eu"), await make("us"), await make("ap")
        asked = put("k", b"v", op_id=OpId("desk", 7), request=b"r")
        await wrote(here, asked)
        await wrote(there, asked)
        await pull(here, there)
        page = await here.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        assert len(page.entries[0].aliases) == 1
        await third.absorb(NOTES, page, KeyRange(), purpose="snapshot", now=NOW)
        dots = [(here.origin(NOTES), 1), (there.origin(NOTES), 1)]
        assert len(await third.logged(NOTES, dots)) == 2
        await third.adopt(NOTES, await here.base(NOTES), horizon=page.horizon)
        assert (await third.stats(NOTES)).log_operations == 2
        assert [one.value for one in (await third.changes(NOTES, None, limit=9, max_bytes=999)).changes] == [b"v"]

    async def test_losses_that_another_store_knows_are_taken_over_with_their_values(self, make: Make) -> None:
        here, there, third = await make("eu"), await make("us"), await make("ap")
        await wrote(here, put("k", b"early", SETTINGS), put("l", b"early too", SETTINGS))
        await wrote(there, put("k", b"late", SETTINGS), put("l", b"late", SETTINGS), now=NOW + 0.1)
        await pull(here, there, SETTINGS, now=NOW + 1)
        records = await here.conflict_log(SETTINGS, after=None, limit=10)
        dots = [record.loser.dot for record in records]
        sealed = await here.logged(SETTINGS, dots)
        losses = [
            KnownLoss(record.key, record.loser, record.winner, record.detected_ms, operation)
            for record, operation in zip(records, sealed, strict=True)
        ]
        page = await here.page(SETTINGS, KeyRange(), limit=99, max_bytes=1 << 20)
        assert await there.take_losses(SETTINGS, losses[:0], now=NOW) == 0
        await third.absorb(SETTINGS, page, KeyRange(), purpose="snapshot", now=NOW + 1)
        damaged = msgspec.structs.replace(sealed[0], value=b"!")
        forged = [
            msgspec.structs.replace(losses[0], operation=damaged),
            msgspec.structs.replace(losses[0], operation=None),
            msgspec.structs.replace(losses[0], key="another"),
            msgspec.structs.replace(losses[0], loser=msgspec.structs.replace(losses[0].loser, hlc=1)),
        ]
        assert await third.take_losses(SETTINGS, forged, now=NOW) == 0
        for _ in range(2):
            assert await third.take_losses(SETTINGS, losses, now=NOW + 50) == 2
            assert await third.conflict_log(SETTINGS, after=None, limit=10) == records
            assert [await third.value_of(SETTINGS, dot) for dot in dots] == [b"early", b"early too"]
            stats = await third.stats(SETTINGS)
            assert (stats.conflict_records, stats.conflict_bytes) == (2, (await here.stats(SETTINGS)).conflict_bytes)
        assert await values(third, "k", SETTINGS) == [b"late"]
        await third.adopt(SETTINGS, await here.base(SETTINGS), horizon=page.horizon)
        assert await third.heads(SETTINGS) == await here.heads(SETTINGS)
        applied = (await third.heads(SETTINGS)).applied
        assert [change.value for change in (await third.changes(SETTINGS, None, limit=9, max_bytes=999)).changes] == [
            b"late"
        ] * 2
        await third.prune(SETTINGS, applied, keep=0)
        assert await third.value_of(SETTINGS, dots[0]) == b"early", "while it is recorded"

    async def test_what_a_key_holds_here_has_not_lost(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("k", b"early", SETTINGS))
        await wrote(there, put("k", b"late", SETTINGS), now=NOW + 0.1)
        before = await here.operations_after(SETTINGS, {}, max_operations=9, max_bytes=1 << 20)
        await pull(there, here, SETTINGS, now=NOW + 1)
        (record,) = await there.conflict_log(SETTINGS, after=None, limit=10)
        loss = KnownLoss(record.key, record.loser, record.winner, record.detected_ms, before[0])
        assert await here.take_losses(SETTINGS, [loss], now=NOW + 1) == 0
        assert await here.conflict_log(SETTINGS, after=None, limit=10) == []

    async def test_a_loss_whose_operation_the_log_brings_later_is_one_loss(self, make: Make) -> None:
        here, there, third = await make("eu"), await make("us"), await make("ap")
        await wrote(here, put("k", b"early", SETTINGS))
        await wrote(there, put("k", b"late", SETTINGS), now=NOW + 0.1)
        await pull(here, there, SETTINGS, now=NOW + 1)
        (record,) = await here.conflict_log(SETTINGS, after=None, limit=10)
        (sealed,) = await here.logged(SETTINGS, [record.loser.dot])
        loss = KnownLoss(record.key, record.loser, record.winner, record.detected_ms, sealed)
        assert await third.take_losses(SETTINGS, [loss], now=NOW + 1) == 1
        await pull(third, here, SETTINGS, now=NOW + 1)
        assert await values(third, "k", SETTINGS) == [b"late"]
        assert await third.conflict_log(SETTINGS, after=None, limit=10) == [record]
        stats = await third.stats(SETTINGS)
        assert (stats.log_operations, stats.conflict_records) == (2, 1)

    async def test_who_was_away_learns_of_forgotten_deletes_and_keeps_what_only_it_has(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("kept", b"1"), put("gone", b"2"), put("anew", b"3"))
        await pull(there, here)
        before = await there.cursor(NOTES)
        await wrote(there, put("own", b"4"))
        await wrote(here, put("gone", b"", kind="delete"), put("anew", b"", kind="delete"))
        await here.prune(NOTES, (await here.heads(NOTES)).applied, keep=0)
        await wrote(here, put("anew", b"5"))
        page = await here.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        absorbed = await there.absorb(NOTES, page, KeyRange(), purpose="snapshot", now=NOW)
        assert absorbed.changed == 2
        again = await there.absorb(NOTES, page, KeyRange(), purpose="snapshot", now=NOW)
        assert again.changed == 0
        await there.adopt(NOTES, await here.base(NOTES), horizon=page.horizon)
        assert [await values(there, key) for key in ("kept", "gone", "anew", "own")] == [[b"1"], [], [b"5"], [b"4"]]
        with pytest.raises(CursorExpired):
            await there.changes(NOTES, before, limit=10, max_bytes=1 << 20)
        await pull(here, there)
        assert await values(here, "own") == [b"4"]
        stats = await there.stats(NOTES)
        assert (stats.keys, stats.tombstones) == (3, 0)

    async def test_a_comparison_brings_back_what_was_lost_and_only_that(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, *(put(f"k{at}", b"v") for at in range(5)))
        await pull(there, here)
        await wrote(here, put("k0", b"under way"))
        applied = (await there.heads(NOTES)).applied
        loss = Page(applied, applied, (), None)
        lost = KeyRange("k1", "k2")
        assert (await there.absorb(NOTES, loss, lost, purpose="snapshot", now=NOW)).changed == 1
        assert await values(there, "k2") == []
        page = await here.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        absorbed = await there.absorb(NOTES, page, KeyRange(), purpose="comparison", now=NOW)
        assert (absorbed.repaired, absorbed.suspected) == (("k2",), 0)
        assert await values(there, "k2") == [b"v"]
        page = await there.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        assert (await here.absorb(NOTES, page, KeyRange(), purpose="comparison", now=NOW)).repaired == ()

    async def test_a_comparison_never_deletes_because_the_other_store_lacks_it(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("k", b"v"))
        await pull(there, here)
        applied = (await there.heads(NOTES)).applied
        await there.absorb(NOTES, Page(applied, applied, (), None), KeyRange(), purpose="snapshot", now=NOW)
        page = await there.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        absorbed = await here.absorb(NOTES, page, KeyRange(), purpose="comparison", now=NOW)
        assert (absorbed.repaired, absorbed.suspected) == ((), 1)
        assert await values(here, "k") == [b"v"]

    async def test_a_page_with_a_fault_in_it_changes_nothing(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("a", b"1"), put("b", b"2"))
        page = await here.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        first, second = page.entries
        forged = KeyState((msgspec.structs.replace(second.state.versions[0], hlc=1),), second.state.context)
        for entries, within in [
            ((first, Entry("b", forged, second.operations)), KeyRange()),
            ((first, Entry("b", second.state, ())), KeyRange()),
            ((first, Entry("c", second.state, second.operations)), KeyRange()),
            ((first, second), KeyRange("", "a")),
        ]:
            bad = msgspec.structs.replace(page, entries=entries)
            with pytest.raises(Malformed):
                await there.absorb(NOTES, bad, within, purpose="snapshot", now=NOW)
        assert await there.list_keys(NOTES, prefix="", after="", limit=9) == []
        with pytest.raises(TooEarly):
            await there.absorb(NOTES, page, KeyRange(), purpose="snapshot", now=NOW - 60)

    async def test_a_page_with_a_damaged_value_leaves_its_key_as_it_is_and_brings_the_others(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        await wrote(here, put("a", b"1"), put("b", b"2"), put("c", b"3"))
        sound = await here.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
        first, second, third = sound.entries
        (operation,) = second.operations
        for damaged in (msgspec.structs.replace(operation, value=b"!"), without_value(operation)):
            page = msgspec.structs.replace(
                sound, entries=(first, msgspec.structs.replace(second, operations=(damaged,)), third)
            )
            absorbed = await there.absorb(NOTES, page, KeyRange(), purpose="snapshot", now=NOW)
            assert absorbed.damaged == 1
            assert [await values(there, key) for key in "abc"] == [[b"1"], [], [b"3"]]
        await there.adopt(NOTES, await here.base(NOTES), horizon=sound.horizon)
        absorbed = await there.absorb(NOTES, sound, KeyRange(), purpose="comparison", now=NOW)
        assert (absorbed.repaired, absorbed.damaged) == (("b",), 0), "from whoever has it sound"
        absorbed = await there.absorb(NOTES, page, KeyRange(), purpose="comparison", now=NOW)
        assert (absorbed.damaged, await values(there, "b")) == (1, [b"2"])

    async def test_a_tombstone_waits_for_what_it_deleted(self, make: Make) -> None:
        here, between, there = await make("eu"), await make("us"), await make("ap")
        await wrote(here, put("k", b"v"))
        await pull(between, here)
        state = (await between.list_keys(NOTES, prefix="", after="", limit=1))[0].state
        await wrote(between, put("k", b"", kind="delete", context=state.context))
        origin = between.origin(NOTES)
        tombstone = await between.operations_after(
            NOTES, (await here.heads(NOTES)).applied, max_operations=9, max_bytes=1 << 20
        )
        await there.receive(NOTES, tombstone, now=NOW)
        assert await there.prune(NOTES, {origin: 1}, keep=0) == 0
        await pull(there, here)
        assert await values(there, "k") == []
        assert await there.prune(NOTES, {origin: 1, here.origin(NOTES): 1}, keep=0) == 2
        assert await values(there, "k") == []

    async def test_operation_ids_are_taken_over_and_answered(self, make: Make) -> None:
        here, there = await make("eu"), await make("us")
        asked = [put(f"k{at}", b"v", op_id=OpId("desk", at), request=b"r") for at in range(1, 8)]
        done = await wrote(here, *asked)
        found: list[tuple[OpId, Done]] = []
        while page := await here.remembered(NOTES, found[-1][0] if found else None, limit=3):
            found += page
        assert [op_id.sequence for op_id, _ in found] == list(range(1, 8))
        await there.remember(NOTES, found, now=NOW)
        (again,) = await wrote(there, asked[4])
        assert (again.is_replay, again.origin, again.seq) == (True, here.origin(NOTES), done[4].seq)

    async def test_an_event_that_was_done_again_is_known_by_the_first_of_it_and_another_request_is_left_alone(
        self, make: Make
    ) -> None:
        store = await make("eu")
        asked = [put(f"k{at}", b"v", op_id=OpId("desk", at), request=b"r") for at in (1, 2)]
        await wrote(store, *asked)
        first, other = Done(b"r", "us:peer.life1", 7, 201), Done(b"another", "us:peer.life1", 8, 201)
        await store.remember(NOTES, [(OpId("desk", 1), first), (OpId("desk", 2), other)], now=NOW)
        known = dict(await store.remembered(NOTES, None, limit=9))
        assert known[OpId("desk", 1)] == first
        assert known[OpId("desk", 2)].origin == store.origin(NOTES)

    async def test_notes_and_members_are_kept_until_they_are_forgotten(self, make: Make) -> None:
        store = await make("eu")
        await store.note(NOTES, "a", b"1")
        await store.note(NOTES, "a", b"2")
        await store.note(NOTES, "b", b"3")
        await store.note(NOTES, "b", None)
        assert await store.notes(NOTES) == {"a": b"2"}
        assert await store.notes(SETTINGS) == {}
        await store.acknowledge(NOTES, "us:peer.life1", {"eu:aaaa.bbbb": 3})
        await store.forget_member(NOTES, "us:peer.life1")
        assert await store.acknowledged(NOTES) == {}
