"""Every hostile request gets its status and a closed connection; not one byte of it reaches an endpoint."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.dataplane import Bench
from tests.harness.recording import RecordingEndpoint, converse, pieces_of, single_bytes
from tests.harness.strict_http import Unfinished, read_answers, read_requests
from tests.integration.attacks.hostile_requests import CUT_SHORT, DISARMED, REFUSED, SMUGGLED, Attack, Disarmed

ORDINARY = b"GET /ordinary HTTP/1.1\r\nHost: h\r\n\r\n"
SPLIT_EVERYWHERE = (
    "CL before TE",
    "CL twice, different",
    "TE identity, chunked",
    "TE behind a bare LF",
    "TE with underscore for hyphen",
    "TE on HTTP/1.0",
    "folded value",
    "two Hosts",
    "escaped line ending",
    "Expect with a word before",
)


async def start(bench: Bench, endpoint: RecordingEndpoint) -> int:
    bench.add_address(endpoint.address)
    await bench.publish()
    return bench.port


async def assert_served(port: int) -> None:
    received, _ = await converse(port, [ORDINARY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")])
    assert received.startswith(b"HTTP/1.1 200 "), "the next client is served"


def assert_refusal(attack: Attack, conversation: tuple[bytes, bool]) -> None:
    received, closed = conversation
    assert closed, "the connection is closed"
    [answer] = read_answers(received, [b"GET"])
    assert answer.status in attack.statuses, answer
    assert answer.values(b"connection") == [b"close"]
    assert answer.values(b"content-type") == [b"application/problem+json"]
    assert answer.values(b"proxy-status")[0].startswith(b"gw-test; error=")


@pytest.mark.parametrize("attack", REFUSED, ids=lambda attack: attack.name)
async def test_a_hostile_request_is_refused_however_it_is_split(attack: Attack) -> None:
    data = attack.data + (SMUGGLED if attack.followed else b"")
    async with RecordingEndpoint() as endpoint, Bench() as bench:
        port = await start(bench, endpoint)
        assert_refusal(attack, await converse(port, [data]))
        if len(data) < 1000:
            assert_refusal(attack, await converse(port, single_bytes(data)))
        assert not endpoint.received
        await assert_served(port)


@pytest.mark.parametrize("name", SPLIT_EVERYWHERE)
async def test_no_single_split_makes_a_hostile_request_pass(name: str) -> None:
    attack = next(attack for attack in REFUSED if attack.name == name)
    data = attack.data + SMUGGLED
    async with RecordingEndpoint() as endpoint, Bench() as bench:
        port = await start(bench, endpoint)
        for at in range(1, len(data)):
            assert_refusal(attack, await converse(port, pieces_of(data, at)))
        assert not endpoint.received
        await assert_served(port)


@pytest.mark.parametrize("attack", REFUSED, ids=lambda attack: attack.name)
async def test_a_hostile_request_behind_an_ordinary_one_is_refused_in_its_turn(attack: Attack) -> None:
    async with RecordingEndpoint() as endpoint, Bench() as bench:
        port = await start(bench, endpoint)
        received, closed = await converse(port, [ORDINARY + attack.data + (SMUGGLED if attack.followed else b"")])
        assert closed
        first, second = read_answers(received, [b"GET", b"GET"])
        assert (first.status, second.status in attack.statuses) == (200, True), second
        assert [request.target for request in endpoint.requests] == [b"/ordinary"]
        assert len(read_requests(endpoint.received)) == 1
        await assert_served(port)


@pytest.mark.parametrize("attack", CUT_SHORT, ids=lambda attack: attack.name)
async def test_a_broken_body_is_refused_and_no_endpoint_sees_it_whole(attack: Attack) -> None:
    data = attack.data + SMUGGLED
    async with RecordingEndpoint() as endpoint, Bench() as bench:
        port = await start(bench, endpoint)
        await assert_served(port)  # a connection is now pooled, on which a head leaves at once
        splits = [[data], pieces_of(data, data.index(b"\r\n\r\n") + 4)]
        if len(data) < 1000:
            splits.append(single_bytes(data))
        for pieces in splits:
            endpoint.forget()
            assert_refusal(attack, await converse(port, pieces))
            await asyncio.sleep(0)
            assert not endpoint.requests
            assert not endpoint.unclear
            assert b"smuggled" not in endpoint.received
            for stream in endpoint.streams:
                if stream:
                    with pytest.raises(Unfinished):
                        read_requests(bytes(stream))
        await assert_served(port)
        assert bench.plane.report().in_flight == 0


@pytest.mark.parametrize("request_", DISARMED, ids=lambda request: request.name)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "bytes"])
async def test_a_legal_weapon_is_passed_on_disarmed(request_: Disarmed, *, split: bool) -> None:
    async with RecordingEndpoint() as endpoint, Bench() as bench:
        port = await start(bench, endpoint)
        pieces = single_bytes(request_.data) if split else [request_.data]
        received, _ = await converse(port, [*pieces, ORDINARY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")])
        assert received.startswith(b"HTTP/1.1 200 ")
        assert not endpoint.unclear
        assert len(endpoint.requests) in (1, 2), "what was smuggled was not taken for a request"
        if len(endpoint.requests) == 2:
            assert endpoint.requests[1].target == b"/ordinary"
        first = endpoint.requests[0]
        seen = endpoint.received.split(b"\r\n\r\n")[0].lower() + b"\r\n\r\n" + first.body.lower()
        assert [part for part in request_.present if part not in seen] == [], seen
        assert [part for part in request_.absent if part in seen] == [], seen
