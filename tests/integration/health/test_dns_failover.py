"""A name is moved in the zone of a real Knot, by leaders old and new."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import dns.asyncquery
import dns.message
import dns.rdata
import dns.tsigkeyring
import dns.update
import pytest

from health.dns_failover import DnsFailed, Key, Pointer, StaleEpoch, point
from tests.harness.knot import Knot


@pytest.fixture
async def knot(tmp_path: Path) -> AsyncIterator[Knot]:
    async with Knot(tmp_path) as made:
        yield made


def pointer(knot: Knot, name: str = "api") -> Pointer:
    return Pointer("127.0.0.1", knot.port, "example.test", name, 30.0, knot.key)


async def lookup(knot: Knot, kind: str, name: str = "api.example.test.") -> set[tuple[int, str]]:
    """(TTL, text), by a resolver's plain question."""
    response = await dns.asyncquery.udp(dns.message.make_query(name, kind), "127.0.0.1", port=knot.port, timeout=5)
    return {(rrset.ttl, record.to_text()) for rrset in response.answer for record in rrset}


async def by_hand(knot: Knot, name: str, *records: tuple[int, str, str]) -> None:
    """An update by somebody else who has the key."""
    update = dns.update.UpdateMessage("example.test")
    update.use_tsig(dns.tsigkeyring.from_text({knot.key.name: (knot.key.algorithm, knot.key.secret)}))
    update.delete(name)
    for ttl, kind, text in records:
        update.add(name, ttl, dns.rdata.from_text("IN", kind, text))
    assert (await dns.asyncquery.tcp(update, "127.0.0.1", port=knot.port, timeout=5)).rcode() == 0


async def test_a_name_is_made_moved_and_moved_back_with_a_low_ttl_and_the_epoch_beside_it(knot: Knot) -> None:
    first = await point(pointer(knot), ["192.0.2.1", "2001:db8::1"], epoch=1)
    assert (first.before, first.now, first.changed) == ((), ("192.0.2.1", "2001:db8::1"), True)
    assert await lookup(knot, "A") == {(30, "192.0.2.1")}
    assert await lookup(knot, "AAAA") == {(30, "2001:db8::1")}
    assert await lookup(knot, "TXT", "_tidegate-epoch.api.example.test.") == {(30, '"1"')}
    second = await point(pointer(knot), ["198.51.100.1"], epoch=4)
    assert second.before == ("192.0.2.1", "2001:db8::1")
    assert await lookup(knot, "A") == {(30, "198.51.100.1")}
    assert await lookup(knot, "AAAA") == set()
    assert await lookup(knot, "TXT", "_tidegate-epoch.api.example.test.") == {(30, '"4"')}


async def test_a_name_may_point_to_a_name_and_to_addresses_again(knot: Knot) -> None:
    await point(pointer(knot), ["192.0.2.1"], epoch=1)
    await point(pointer(knot), ["eu.gw.example.com"], epoch=2)
    assert await lookup(knot, "CNAME") == {(30, "eu.gw.example.com.")}
    await point(pointer(knot), ["192.0.2.2"], epoch=2)
    assert await lookup(knot, "A") == {(30, "192.0.2.2")}
    assert await lookup(knot, "CNAME") == set()


async def test_the_zone_itself_may_be_the_name_and_keeps_its_other_records(knot: Knot) -> None:
    await point(pointer(knot, "@"), ["192.0.2.1"], epoch=1)
    assert await lookup(knot, "A", "example.test.") == {(30, "192.0.2.1")}
    assert await lookup(knot, "NS", "example.test.") == {(3600, "ns.example.test.")}


async def test_what_is_so_already_is_not_sent_again(knot: Knot) -> None:
    await point(pointer(knot), ["192.0.2.1"], epoch=3)
    serial = await lookup(knot, "SOA", "example.test.")
    again = await point(pointer(knot), ["192.0.2.1"], epoch=3)
    assert not again.changed
    assert await lookup(knot, "SOA", "example.test.") == serial


async def test_a_leader_of_an_older_epoch_changes_nothing(knot: Knot) -> None:
    await point(pointer(knot), ["192.0.2.1"], epoch=5)
    with pytest.raises(StaleEpoch, match="epoch 5 is recorded in the zone, expected none above ours, 4"):
        await point(pointer(knot), ["192.0.2.9"], epoch=4)
    assert await lookup(knot, "A") == {(30, "192.0.2.1")}


async def test_of_many_leaders_at_the_same_time_the_latest_epoch_wins_whatever_the_order(knot: Knot) -> None:
    outcomes = await asyncio.gather(
        *(point(pointer(knot), [f"192.0.2.{epoch}"], epoch=epoch) for epoch in range(1, 9)), return_exceptions=True
    )
    assert all(not isinstance(one, BaseException) or isinstance(one, DnsFailed) for one in outcomes)
    await point(pointer(knot), ["192.0.2.8"], epoch=8)
    with pytest.raises(StaleEpoch):
        await point(pointer(knot), ["192.0.2.7"], epoch=7)
    assert await lookup(knot, "A") == {(30, "192.0.2.8")}


async def test_what_a_person_changed_by_hand_is_seen_and_then_replaced_whole(knot: Knot) -> None:
    await by_hand(knot, "api", (60, "A", "203.0.113.1"), (60, "A", "203.0.113.2"), (60, "TXT", '"note"'))
    moved = await point(pointer(knot), ["192.0.2.1"], epoch=1)
    assert moved.before == ("203.0.113.1", "203.0.113.2")
    assert await lookup(knot, "A") == {(30, "192.0.2.1")}
    assert await lookup(knot, "TXT") == {(60, '"note"')}


async def test_an_epoch_record_that_is_none_stops_everything(knot: Knot) -> None:
    await by_hand(knot, "_tidegate-epoch.api", (60, "TXT", '"many"'))
    with pytest.raises(DnsFailed, match='found "many" where an epoch is recorded'):
        await point(pointer(knot), ["192.0.2.1"], epoch=1)
    assert await lookup(knot, "A") == set()


async def test_the_wrong_secret_an_unknown_key_and_no_key_are_refused(knot: Knot) -> None:
    wrong = Key(knot.key.name, knot.key.algorithm, "d3JvbmcgbGVuZ3RoIGlzIG5vdCBpdA==")
    unknown = Key("somebody", knot.key.algorithm, knot.key.secret)
    for key in (wrong, unknown, None):
        with pytest.raises(DnsFailed):
            await point(replace(pointer(knot), key=key), ["192.0.2.1"], epoch=1)
    with pytest.raises(DnsFailed, match="not base64"):
        await point(replace(pointer(knot), key=Key("k", "hmac-sha256", "abc")), ["192.0.2.1"], epoch=1)
    assert await lookup(knot, "A") == set()


async def test_a_zone_that_the_server_does_not_keep_is_a_failure(knot: Knot) -> None:
    with pytest.raises(DnsFailed, match=r"no use of 127\.0\.0\.1: response requires a TSIG"):
        await point(replace(pointer(knot), zone="other.test"), ["192.0.2.1"], epoch=1)


async def test_a_server_that_is_not_there_or_never_answers_fails_in_time(knot: Knot) -> None:
    with pytest.raises(DnsFailed, match=r"no use of 127\.0\.0\.1"):
        await point(replace(pointer(knot), port=1), ["192.0.2.1"], epoch=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections wait in its queue, and nobody takes them
        port = silent.getsockname()[1]
        with pytest.raises(DnsFailed, match=r"has not answered in 0\.3s"):
            await point(replace(pointer(knot), port=port), ["192.0.2.1"], epoch=1, timeout_s=0.3)


@pytest.mark.parametrize("algorithm", ["hmac-sha384", "hmac-sha512"])
async def test_the_other_algorithms_sign_too(tmp_path: Path, algorithm: str) -> None:
    async with Knot(tmp_path, algorithm) as knot:
        await point(pointer(knot), ["192.0.2.1"], epoch=1)
        assert await lookup(knot, "A") == {(30, "192.0.2.1")}


async def test_nothing_or_two_names_are_not_something_to_point_to(knot: Knot) -> None:
    for targets in ([], ["a.example.com", "b.example.com"], ["a.example.com", "192.0.2.1"]):
        with pytest.raises(ValueError, match="expected IP addresses or one name"):
            await point(pointer(knot), targets, epoch=1)
    with pytest.raises(ValueError, match="epoch 0, expected at least 1"):
        await point(pointer(knot), ["192.0.2.1"], epoch=0)
