"""What each kind of answer says, fed in every possible cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health.core.answer import MAX_BODY_BYTES, MAX_HEAD_BYTES, Answer
from health.core.probe import Outcome, ProbeSettings

STATUS = ProbeSettings()
BODY = ProbeSettings(expected_body="all well")

WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def reading(data: bytes, settings: ProbeSettings = STATUS, *, piece: int = 65536) -> Outcome | None:
    """The outcome of an answer that arrives in pieces; None when it still waits for more."""
    answer = Answer(settings)
    for start in range(0, len(data), piece):
        outcome = answer.feed(data[start : start + piece])
        if outcome is not None:
            return outcome
    return None


def reading_to_the_end(data: bytes, settings: ProbeSettings = STATUS) -> Outcome:
    answer = Answer(settings)
    return (answer.feed(data) if data else None) or answer.ended()


WHOLE_ANSWERS = [
    (WELL, True, "http 200"),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", True, "http 200"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", True, "http 204"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True, "http 200"),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + WELL, True, "http 200"),
    (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9999\r\n\r\n", False, "http 503"),
    (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", False, "http 302"),
    (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", False, "http 101"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", False, "malformed answer"),
    (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", False, "malformed answer"),
    (b"HTTP/1.1 99 Low\r\n\r\n", False, "malformed answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", False, "malformed answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", False, "malformed answer"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False, "malformed answer"),
]


@pytest.mark.parametrize(("data", "passed", "reason"), WHOLE_ANSWERS)
@pytest.mark.parametrize("piece", [1, 7, 65536])
def test_an_answer_says_the_same_however_it_is_cut(data: bytes, passed: bool, reason: str, piece: int) -> None:
    assert reading(data, piece=piece) == Outcome(passed, reason)


@pytest.mark.parametrize("status", [199, 300, 404, 500])
def test_a_status_outside_every_expected_range_fails(status: int) -> None:
    head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
    settings = ProbeSettings(expected_status=((200, 299), (301, 301)))
    outcome = reading_to_the_end(head, settings)
    assert outcome.passed is False


def test_expected_ranges_include_both_ends() -> None:
    settings = ProbeSettings(expected_status=((401, 401), (503, 504)))
    for status in (401, 503, 504):
        head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
        assert reading(head, settings) == Outcome(passed=True, reason=f"http {status}")


def test_an_answer_that_is_not_whole_is_waited_for() -> None:
    for length in range(len(WELL)):
        assert reading(WELL[:length]) is None


def test_an_answer_may_end_with_its_connection_when_it_says_no_length() -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\nall well"
    assert reading(data, BODY) is None
    assert reading_to_the_end(data, BODY) == Outcome(passed=True, reason="http 200")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-", "answer cut short"),
        (WELL[:-1], "answer cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "answer cut short"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "answer cut short"),
        (b"HTTP/1.1 103 Hints\r\nContent-Length: 4\r\n\r\n", "answer cut short"),
    ],
)
def test_an_end_before_the_end_is_told_apart_from_an_answer(data: bytes, reason: str) -> None:
    assert reading_to_the_end(data) == Outcome(passed=False, reason=reason)


def test_the_expected_text_is_found_across_pieces_and_chunks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nis al\r\n6\r\nl well\r\n0\r\n\r\n"
    assert reading(chunked, BODY, piece=1) == Outcome(passed=True, reason="http 200")


def test_a_body_without_the_expected_text_is_a_mismatch() -> None:
    assert reading(WELL, BODY) == Outcome(passed=False, reason="body mismatch")


def with_body(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_of_a_long_body_only_the_first_64_kib_are_searched_and_waited_for() -> None:
    late = with_body(b"x" * MAX_BODY_BYTES + b"all well")
    assert reading(late, BODY) == Outcome(passed=False, reason="body mismatch in the first 64KiB")
    early = with_body(b"all well" + b"x" * MAX_BODY_BYTES)
    assert reading(early[:-8], BODY) == Outcome(passed=True, reason="http 200")


def test_the_expected_text_may_be_the_very_end_of_what_is_searched() -> None:
    assert reading(with_body(b"x" * (MAX_BODY_BYTES - 8) + b"all well"), BODY) == Outcome(
        passed=True, reason="http 200"
    )


def test_an_endless_body_is_judged_by_its_status_after_64_kib() -> None:
    answer = Answer(STATUS)
    assert answer.feed(b"HTTP/1.1 200 OK\r\n\r\n") is None
    assert answer.feed(b"x" * (MAX_BODY_BYTES - 1)) is None
    assert answer.feed(b"x") == Outcome(passed=True, reason="http 200")


@pytest.mark.parametrize(
    "piece", [b"X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", b"X" * 50, b"\r\nHTTP/1.1 100 Continue\r\n"]
)
def test_a_head_without_end_is_given_up(piece: bytes) -> None:
    answer = Answer(STATUS)
    assert answer.feed(b"HTTP/1.1 100 Continue\r\n") is None
    for _ in range(2 * MAX_HEAD_BYTES // len(piece)):
        if (outcome := answer.feed(piece)) is not None:
            assert outcome in (
                Outcome(passed=False, reason="answer head longer than 16KiB"),
                Outcome(passed=False, reason="malformed answer"),
            )
            return
    pytest.fail("no outcome after twice the longest head")


def test_what_follows_a_settled_answer_does_not_take_it_back() -> None:
    assert reading(WELL + b"surplus") == Outcome(passed=True, reason="http 200")


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_whatever_do_more_than_fail(data: bytes, has_status_line: bool) -> None:
    outcome = reading_to_the_end(b"HTTP/1.1 200 OK\r\n" * has_status_line + data)
    assert outcome.passed in (True, False)
    assert outcome.reason


@given(st.sampled_from(WHOLE_ANSWERS), st.lists(st.integers(1, 60), min_size=1, max_size=60))
def test_any_cut_gives_the_same_outcome(whole: tuple[bytes, bool, str], lengths: list[int]) -> None:
    data, passed, reason = whole
    answer = Answer(STATUS)
    outcome = None
    while data and outcome is None:
        length = lengths.pop() if lengths else len(data)
        outcome, data = answer.feed(data[:length]), data[length:]
    assert outcome == Outcome(passed, reason)
