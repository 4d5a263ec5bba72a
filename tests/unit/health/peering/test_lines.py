"""What goes over a line is believed only in its place, its direction and its words."""

from __future__ import annotations

from typing import Any

import pytest

from config.core.signing import Signer
from health.peering.lines import Hello, LineBroken, Seal, is_line, seals

HELLO = Hello({"Tidegate-Node": "gw-2", "Tidegate-Region": "us"}, word="w")


def pair(*, key: str = "k", asking: str = "gw-1", nonce: str = "n", hello: Hello = HELLO) -> tuple[Seal, Seal]:
    return seals(Signer((key.encode(),)), asking=asking, nonce=nonce, hello=hello)


def test_both_ends_understand_each_other_both_ways() -> None:
    (asks, hears), (asked, says) = pair(), pair()
    for number in range(3):
        assert asked.open(asks.close(b"question %d" % number)) == b"question %d" % number
        assert hears.open(says.close(b"answer %d" % number)) == b"answer %d" % number


def test_what_is_changed_said_again_left_out_or_turned_round_is_not_believed() -> None:
    (asks, hears), _ = pair(), pair()
    first, second = asks.close(b"one"), asks.close(b"two")
    for wrong in (b"onf" + first[3:], first[:-1] + b"\0", first[:-1], b"", second):
        with pytest.raises(LineBroken, match="without the seal of this place"):
            pair()[0].open(wrong)
    with pytest.raises(LineBroken, match="without the seal"):
        hears.open(first)
    again = pair()[0]
    again.open(first)
    with pytest.raises(LineBroken, match="without the seal"):
        again.open(first)


@pytest.mark.parametrize(
    "other",
    [
        {"key": "another"},
        {"asking": "gw-3"},
        {"nonce": "m"},
        {"hello": Hello(HELLO.who, word="v")},
        {"hello": Hello({**HELLO.who, "Tidegate-Node": "gw-3"}, word="w")},
        {"hello": Hello({**HELLO.who, "Tidegate-Region": "eu"}, word="w")},
    ],
)
def test_a_recorded_beginning_and_a_false_name_give_another_key(other: dict[str, Any]) -> None:
    with pytest.raises(LineBroken):
        pair(**other)[0].open(pair()[0].close(b"x"))


def test_over_tls_messages_go_as_they_are() -> None:
    asks, _ = seals(None, asking="gw-1", nonce="", hello=HELLO)
    assert asks.open(asks.close(b"x")) == b"x"


def test_what_asks_for_a_line() -> None:
    assert is_line({"Upgrade": "WebSocket"})
    assert not is_line({})
