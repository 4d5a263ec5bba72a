"""A body is sent again whole, or not at all."""

from __future__ import annotations

from gateway.core.replay import HIGH, Replay


def test_what_waits_is_taken_once_and_in_order() -> None:
    replay = Replay(64 * 1024)
    replay.wait(b"a")
    replay.wait(b"b")
    assert replay.take_waiting() == b"ab"
    assert replay.take_waiting() == b""


def test_a_small_body_can_be_sent_again_from_its_first_byte() -> None:
    replay = Replay(64 * 1024)
    for piece in (b"a", b"b"):
        replay.keep(piece)
    replay.rewind()
    replay.keep(b"c")
    assert replay.take_waiting() == b"ab"
    replay.rewind()
    assert replay.take_waiting() == b"abc"


def test_a_large_body_is_not_kept() -> None:
    replay = Replay(64 * 1024)
    replay.keep(b"x" * (64 * 1024))
    assert replay.is_whole
    replay.keep(b"x")
    assert not replay.is_whole


def test_it_says_when_the_client_should_wait() -> None:
    replay = Replay(64 * 1024)
    said = [replay.is_full]
    for step in (lambda: replay.wait(b"x" * HIGH), lambda: replay.wait(b"x"), replay.take_waiting):
        step()
        said.append(replay.is_full)
    assert said == [False, False, True, False]
