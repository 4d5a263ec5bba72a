"""The handshake of RFC 6455, by its own example."""

from __future__ import annotations

import pytest

from gateway.core.websocket import check_handshake, check_switch
from gateway.errors import AnswerRefused, RequestRefused

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def handshake(
    *,
    method: str = "GET",
    version: int = 11,
    body_length: int = 0,
    keys: tuple[bytes, ...] = (KEY,),
    versions: tuple[bytes, ...] = (b"13",),
) -> bytes:
    return check_handshake(
        method=method, version=version, body_length=body_length, keys=list(keys), versions=list(versions)
    )


def test_the_accept_key_is_that_of_the_rfc() -> None:
    assert handshake() == ACCEPT


def test_anything_but_a_clean_handshake_is_refused() -> None:
    for unclean in (
        {"method": "POST"},
        {"version": 10},
        {"body_length": 1},
        {"keys": ()},
        {"keys": (KEY, KEY)},
        {"keys": (b"x",)},
        {"versions": (b"8",)},
        {"versions": ()},
    ):
        with pytest.raises(RequestRefused):
            handshake(**unclean)


def switch(*lines: bytes) -> bytes:
    return b"HTTP/1.1 101 X\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


GOOD = (b"upgrade: WebSocket", b"Connection: keep-alive, Upgrade", b"Sec-WebSocket-Accept: " + ACCEPT)


def test_a_101_that_proves_itself_is_accepted() -> None:
    check_switch(switch(*GOOD), ACCEPT)


@pytest.mark.parametrize("missing", range(3))
def test_a_101_without_its_proof_is_refused(missing: int) -> None:
    lines = [line for index, line in enumerate(GOOD) if index != missing]
    with pytest.raises(AnswerRefused):
        check_switch(switch(*lines), ACCEPT)


def test_a_101_that_nobody_asked_for_or_that_answers_another_key_is_refused() -> None:
    with pytest.raises(AnswerRefused):
        check_switch(switch(*GOOD), None)
    with pytest.raises(AnswerRefused):
        check_switch(switch(*GOOD), b"other")
    with pytest.raises(AnswerRefused):
        check_switch(switch(*GOOD, GOOD[2]), ACCEPT)
