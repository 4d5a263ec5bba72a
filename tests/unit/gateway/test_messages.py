"""What crosses the process border comes out as it went in."""

from __future__ import annotations

import msgspec
import pytest

from gateway.messages import (
    EndpointCount,
    EndpointState,
    Heartbeat,
    Hello,
    Publication,
    Report,
    RouteCount,
    decode_from_data_plane,
    decode_to_data_plane,
    encode,
)


@pytest.mark.parametrize(
    "message",
    [
        Publication(3, "d", "{}", {"a/b/c:1": EndpointState("down", "http 503")}, {"eu": 0.02}),
        Publication(3, "d"),
        Heartbeat(9),
    ],
)
def test_messages_to_a_data_plane(message: Publication | Heartbeat) -> None:
    assert decode_to_data_plane(encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Hello(slot=1, pid=2),
        Report(1, 2, 3, [RouteCount("r", "eu", 200, "", 1, 0.5, [1])], [EndpointCount("e", 1, 0, 0, 1)]),
    ],
)
def test_messages_from_a_data_plane(message: Hello | Report) -> None:
    assert decode_from_data_plane(encode(message)) == message


@pytest.mark.parametrize("text", [b"{}", b"[]", b'{"type":"other"}', b'{"type":"heartbeat","version":"x"}', b"\xff"])
def test_nonsense_is_refused(text: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
        decode_to_data_plane(text)
