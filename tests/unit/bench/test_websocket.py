from __future__ import annotations

from bench.websocket import FROM_CLIENT, FROM_SERVER, PAYLOAD


def test_frames_are_those_of_rfc_6455() -> None:
    assert FROM_SERVER[0] == FROM_CLIENT[0] == 0x80 | 0x2  # whole and binary
    assert FROM_SERVER[1] == len(PAYLOAD) < 126
    assert FROM_CLIENT[1] == 0x80 | len(PAYLOAD)  # masked
    mask, masked = FROM_CLIENT[2:6], FROM_CLIENT[6:]
    assert bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked)) == PAYLOAD
