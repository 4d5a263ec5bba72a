"""A refusal and an answer that does not fit the question are told apart from one that does."""

from __future__ import annotations

import asyncio

import pytest

from sync.core.digests import Digest, KeyRange
from sync.core.wire import MAX_REQUEST, PROTOCOL, Compare, Compared, Fetch, Fetched, FrameRefused, pack, question
from sync.replication.asking import Asking
from sync.replication.link import PeerRefused

LIFE, PEER = "eu:store1.life1", "us:store1.life1"


class Script:
    name = region = "us"

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[object] = []

    async def ask(self, frame: bytes, *, timeout_s: float) -> bytes:
        self.asked.append(question(frame, at_most=MAX_REQUEST))
        return self.answer


def test_a_question_goes_as_it_was_meant_and_the_answer_comes_back() -> None:
    script = Script(pack(Compared(PROTOCOL, PEER, {PEER: 1}, {}, (Digest(1, 2, 3),))))
    answer = asyncio.run(Asking(script, "notes", life=LIFE).compare([KeyRange("a")]))
    assert answer.digests == (Digest(1, 2, 3),)
    assert script.asked == [Compare(PROTOCOL, LIFE, "notes", (KeyRange("a"),))]
    script = Script(pack(Fetched(PROTOCOL, PEER, base={PEER: (1, b"x" * 32)}, keys=7)))
    assert asyncio.run(Asking(script, "notes", life=LIFE).fetch("base")).keys == 7
    assert script.asked == [Fetch(PROTOCOL, LIFE, "notes", "base")]


def test_refusals_and_answers_to_other_questions_are_errors() -> None:
    refused = Script(pack(Fetched(PROTOCOL, "", refused="not_permitted")))
    with pytest.raises(PeerRefused, match="us refuses notes: not_permitted"):
        asyncio.run(Asking(refused, "notes", life=LIFE).fetch("base"))
    short = Script(pack(Compared(PROTOCOL, PEER, {}, {}, ())))
    with pytest.raises(FrameRefused, match="0 digests, expected 1"):
        asyncio.run(Asking(short, "notes", life=LIFE).compare([KeyRange()]))
    other = Script(pack(Fetched(PROTOCOL, PEER)))
    with pytest.raises(FrameRefused, match="a frame of kind 2, expected Compared"):
        asyncio.run(Asking(other, "notes", life=LIFE).compare([KeyRange()]))
