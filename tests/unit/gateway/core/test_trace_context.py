"""W3C Trace Context to the letter, and who decides what is recorded."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.head import RequestHead, parse_request_head
from gateway.core.trace_context import (
    STRANGERS_PER_S,
    Recorded,
    Sampling,
    TraceParent,
    parent_of,
    parse_traceparent,
    state_of,
    traceparent,
    with_traceparent,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"traceparent: 00-{TRACE}-{SPAN}-01"
NOT_SAMPLED = f"traceparent: 00-{TRACE}-{SPAN}-00"
GIVEN = TraceParent(TRACE.encode(), SPAN.encode(), is_sampled=True)


def head(*lines: str) -> RequestHead:
    return parse_request_head("".join(f"{line}\r\n" for line in ("GET / HTTP/1.1", "Host: a", *lines, "")).encode())


def sampling(share: float, *, now: Callable[[], float] = lambda: 0.0) -> Sampling:
    return Sampling(share, bits=random.Random(7).getrandbits, now=now)


def decide(by: Sampling, *lines: str, is_believed: bool = False) -> Recorded | None:
    return by.decide(head(*lines), is_believed=is_believed)


@pytest.mark.parametrize(
    ("value", "is_sampled"),
    [
        pytest.param(f"00-{TRACE}-{SPAN}-01", True, id="sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", False, id="not sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-03", True, id="flags that are not known count for nothing"),
        pytest.param(f"00-{TRACE}-{SPAN}-fe", False, id="all flags but that one"),
        pytest.param(f"01-{TRACE}-{SPAN}-01", True, id="a later version"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01-what-is-to-come", True, id="a later version with more"),
    ],
)
def test_a_sound_traceparent_is_read(value: str, is_sampled: bool) -> None:
    assert parse_traceparent(value.encode()) == GIVEN._replace(is_sampled=is_sampled)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(f"00-{TRACE}-{SPAN}", id="no flags"),
        pytest.param(f"00-{TRACE}-{SPAN}-1", id="half a flag"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-more", id="more than version 00 has"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-", id="a dash more than version 00 has"),
        pytest.param(f"01-{TRACE}-{SPAN}-01.more", id="a later version whose rest has no dash"),
        pytest.param(f"01-{TRACE}-{SPAN}-011", id="a later version with longer flags"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", id="the version that is none"),
        pytest.param(f"0-{TRACE}-{SPAN}-01", id="half a version"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", id="no trace id"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="no span id"),
        pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", id="capital letters"),
        pytest.param(f"00-{TRACE[1:]}-{SPAN}-01", id="a short trace id"),
        pytest.param(f"00-{TRACE}a-{SPAN}-01", id="a long trace id"),
        pytest.param(f"00-{TRACE[:-1]}g-{SPAN}-01", id="no hexadecimal digit"),
        pytest.param(f"00-{TRACE}-{SPAN[:-1]}.-01", id="no hexadecimal digit in the span id"),
        pytest.param(f"00-{TRACE}-{SPAN}-0x", id="no hexadecimal digit in the flags"),
        pytest.param(f"00_{TRACE}_{SPAN}_01", id="other dashes"),
        pytest.param(f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01", id="two in one"),
    ],
)
def test_a_malformed_traceparent_is_none(value: str) -> None:
    assert parse_traceparent(value.encode()) is None


@given(st.integers(1, (1 << 128) - 1), st.integers(1, (1 << 64) - 1))
def test_what_is_written_is_read_again(trace_id: int, span_id: int) -> None:
    parent = parse_traceparent(traceparent(trace_id, span_id))
    assert parent is not None
    assert (int(parent.trace_id, 16), int(parent.span_id, 16), parent.is_sampled) == (trace_id, span_id, True)


def test_names_and_spaces_are_read_as_http_has_them() -> None:
    assert parent_of(head(f"TraceParent:  00-{TRACE}-{SPAN}-01 ")) == GIVEN
    assert parent_of(head(f"X-Traceparent: 00-{TRACE}-{SPAN}-01")) is None


def test_two_traceparents_are_none() -> None:
    assert parent_of(head(SAMPLED, SAMPLED)) is None


def test_a_tracestate_of_several_fields_is_one_and_a_long_one_is_not_told() -> None:
    assert state_of(head("tracestate: a=1", "Tracestate: b=2,c=3")) == b"a=1,b=2,c=3"
    assert state_of(head("tracestate: a=" + "x" * 510)) == b"a=" + b"x" * 510
    assert state_of(head("tracestate: a=" + "x" * 511)) == b""


# -- what is sent


def test_our_traceparent_stands_in_for_the_callers_and_a_tracestate_goes_with_its_trace() -> None:
    rendered = (
        b"GET / HTTP/1.1\r\nHost: a\r\nTraceParent: x\r\ntraceparent: y\r\nTraceState: a=1\r\nX: traceparent: z\r\n\r\n"
    )
    ours = b"traceparent: 00-%032x-%016x-01\r\n" % (1, 2)
    assert with_traceparent(rendered, 1, 2, keeps_state=True) == (
        b"GET / HTTP/1.1\r\n" + ours + b"Host: a\r\nTraceState: a=1\r\nX: traceparent: z\r\n\r\n"
    )
    assert with_traceparent(rendered, 1, 2, keeps_state=False) == (
        b"GET / HTTP/1.1\r\n" + ours + b"Host: a\r\nX: traceparent: z\r\n\r\n"
    )


# -- what is recorded


def test_a_callers_trace_goes_on_if_it_is_sampled_and_not_if_it_is_not() -> None:
    assert decide(sampling(0.0), SAMPLED, "tracestate: a=1") == Recorded(int(TRACE, 16), int(SPAN, 16), b"a=1")
    assert decide(sampling(1.0), NOT_SAMPLED) is None


@pytest.mark.parametrize("lines", [(), ("traceparent: nonsense", "tracestate: a=1"), (SAMPLED, SAMPLED)])
def test_without_a_sound_parent_the_share_decides_and_nothing_is_taken_over(lines: tuple[str, ...]) -> None:
    recorded = decide(sampling(1.0), *lines)
    assert recorded is not None
    assert (recorded.parent_id, recorded.state) == (None, b"")
    assert recorded.trace_id not in {0, int(TRACE, 16)}
    assert decide(sampling(0.0), *lines) is None


def test_a_request_without_a_usable_head_is_drawn_too() -> None:
    assert sampling(1.0).decide(None, is_believed=False) is not None
    assert sampling(0.0).decide(None, is_believed=False) is None


def test_the_share_is_kept_and_by_the_trace_id_alone() -> None:
    some = sampling(0.1)
    recorded = [found for _ in range(20_000) if (found := decide_root(some)) is not None]
    assert 1_800 < len(recorded) < 2_200
    assert all(sampling(0.1).is_drawn(found.trace_id) for found in recorded)
    assert len({found.trace_id for found in recorded}) == len(recorded)


def decide_root(by: Sampling) -> Recorded | None:
    return by.decide(None, is_believed=False)


@given(st.integers(0, (1 << 128) - 1), st.floats(0, 1), st.floats(0, 1))
def test_whoever_draws_more_draws_what_others_draw_and_more(trace_id: int, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert sampling(more).is_drawn(trace_id) or not sampling(less).is_drawn(trace_id)
    assert sampling(1.0).is_drawn(trace_id)
    assert not sampling(0.0).is_drawn(trace_id)


def test_strangers_have_no_more_recorded_than_is_honoured_and_those_we_trust_all() -> None:
    clock = [0.0]
    some = sampling(0.0, now=lambda: clock[0])
    assert sum(decide(some, SAMPLED) is not None for _ in range(1000)) == STRANGERS_PER_S
    assert sum(decide(some, SAMPLED, is_believed=True) is not None for _ in range(1000)) == 1000
    clock[0] = 1.0
    assert sum(decide(some, SAMPLED) is not None for _ in range(1000)) == STRANGERS_PER_S


def test_beyond_that_strangers_are_drawn_by_the_share_whatever_trace_id_they_choose() -> None:
    lowest = f"traceparent: 00-{'1' + '0' * 31}-{SPAN}-01"  # one that every share would draw
    some = sampling(0.1)
    recorded = [found for _ in range(10_000) if (found := decide(some, lowest)) is not None]
    assert 900 < len(recorded) < 1_120
    assert {found.parent_id for found in recorded} == {int(SPAN, 16)}
