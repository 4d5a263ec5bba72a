"""Messages between control and a data plane, over a real socket pair and in memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.messages import (
    EndpointState,
    FromDataPlane,
    Heartbeat,
    Hello,
    Publication,
    ToDataPlane,
    decode_from_data_plane,
    decode_to_data_plane,
    encode,
)
from tidegate.node.channel import (
    MAX_FRAME_BYTES,
    MAX_QUEUED,
    Channel,
    ChannelClosed,
    FrameTooLarge,
    StreamChannel,
    memory_pair,
)

Ends = tuple[Channel[ToDataPlane, FromDataPlane], Channel[FromDataPlane, ToDataPlane]]


async def stream_pair() -> tuple[StreamChannel[Any, Any], StreamChannel[Any, Any], socket.socket]:
    ours, theirs = socket.socketpair()
    control = StreamChannel[ToDataPlane, FromDataPlane](
        *await asyncio.open_unix_connection(sock=ours), encode=encode, decode=decode_from_data_plane
    )
    worker = StreamChannel[FromDataPlane, ToDataPlane](
        *await asyncio.open_unix_connection(sock=theirs), encode=encode, decode=decode_to_data_plane
    )
    return control, worker, theirs


async def hang_up(*ends: Channel[Any, Any]) -> None:
    """Close, and let the loop's transports find out."""
    for end in ends:
        end.close()
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture(params=["stream", "memory"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    one, other = memory_pair() if request.param == "memory" else (await stream_pair())[:2]
    yield one, other
    await hang_up(one, other)


async def test_messages_arrive_whole_and_in_order(ends: Ends) -> None:
    control, worker = ends
    publication = Publication(3, "digest", "{}", {"a/eu/h:1": EndpointState("down", "refused")}, {"eu": 0.1})
    await control.send(publication)
    await control.send(Heartbeat(3))
    await worker.send(Hello(0, 7))
    assert await worker.receive() == publication
    assert await worker.receive() == Heartbeat(3)
    assert await control.receive() == Hello(0, 7)


async def test_an_end_that_hangs_up_ends_the_other(ends: Ends) -> None:
    control, worker = ends
    control.close()
    assert await worker.receive() is None


async def test_sending_to_an_end_that_hung_up_says_so(ends: Ends) -> None:
    control, worker = ends
    await hang_up(worker)

    async def send_for_long() -> None:
        for _ in range(100):  # a socket takes some before it finds out
            await control.send(Heartbeat(1))

    with pytest.raises(ChannelClosed):
        await send_for_long()


async def test_closing_twice_is_closing_once(ends: Ends) -> None:
    ends[0].close()
    ends[0].close()
    assert await ends[0].receive() is None


async def test_memory_makes_a_sender_wait_when_nobody_reads() -> None:
    one, other = memory_pair()
    for number in range(MAX_QUEUED):
        await one.send(number)
    waiting = asyncio.get_running_loop().create_task(one.send("late"))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await other.receive() == 0
    await waiting


async def test_a_full_memory_channel_still_ends() -> None:
    one, other = memory_pair()
    for number in range(MAX_QUEUED):
        await one.send(number)
    one.close()
    received = [await other.receive() for _ in range(MAX_QUEUED)]
    assert received[-1] is None


async def test_a_frame_above_the_bound_is_not_read() -> None:
    control, worker, raw = await stream_pair()
    raw.send((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(FrameTooLarge):
        await control.receive()
    await hang_up(control, worker)


async def test_a_message_above_the_bound_is_not_sent() -> None:
    control, worker, _ = await stream_pair()
    with pytest.raises(FrameTooLarge):
        await control.send(Publication(1, "d", "x" * MAX_FRAME_BYTES))
    await hang_up(control, worker)


@pytest.mark.parametrize("frame", [b"{}", b'{"type":"unknown"}', b"\xff\xff", b""])
async def test_nonsense_is_an_error_of_its_sender(frame: bytes) -> None:
    control, worker, raw = await stream_pair()
    raw.send(len(frame).to_bytes(4, "big") + frame)
    with pytest.raises(ValueError, match=r"JSON|type|utf-8|truncated|Invalid"):
        await control.receive()
    await hang_up(control, worker)


async def test_half_a_frame_is_an_end() -> None:
    control, worker, raw = await stream_pair()
    raw.send((10).to_bytes(4, "big") + b"half")
    await hang_up(worker)
    assert await control.receive() is None
    await hang_up(control)
