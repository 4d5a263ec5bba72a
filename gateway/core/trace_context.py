"""Which trace does this request belong to, and is it recorded? W3C Trace Context, read from the bytes of the head.

    traceparent of the caller ──> valid, sampled      recorded; from strangers no more than `STRANGERS_PER_S`
                             ├──> valid, not sampled  not recorded
                             └──> none, or malformed  a trace of our own, recorded by our share
    recorded      an attempt carries a traceparent of ours: the same trace, its parent our span of that attempt
    not recorded  the caller's fields go on untouched

Whoever is not a proxy or a gateway that we trust could have everything recorded by one field; beyond what is honoured,
its requests are drawn by our share, like those of callers without a trace.

Source: W3C Trace Context, Recommendation of 23 November 2021, sections 3.2 and 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.core.data_service import with_line
from gateway.core.gcra import quota, take
from gateway.core.head import RequestHead, without_field

FIELD: Final = b"traceparent"
STATE_FIELD: Final = b"tracestate"
FIELD_START: Final = b"\r\n" + FIELD + b":"
STRANGERS_PER_S: Final = 10
"""Traces a second, of one data plane, that callers whom we do not trust have recorded by asking. A person who looks for
something sends one; a flood of them costs one thread and one collector no more than this."""
MAX_STATE_BYTES: Final = 512
"""What a vendor must at least pass on (section 3.3.1.5); of a longer one the span says nothing."""

VERSION_00_BYTES: Final = 55
"""Later versions may be longer."""
_ODD: Final = frozenset((b"1", b"3", b"5", b"7", b"9", b"b", b"d", b"f"))
"""Last digits of flags whose lowest bit, `sampled`, is set."""
_FORM: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]([0-9a-f])(?:-.*)?"
)
_LOW_64: Final = (1 << 64) - 1


class TraceParent(NamedTuple):
    """What a caller says of its trace."""

    trace_id: bytes
    """32 hexadecimal digits, not all 0."""
    span_id: bytes
    """The caller's own span: 16 of them, not all 0."""
    is_sampled: bool


class Recorded(NamedTuple):
    """A request that is recorded."""

    trace_id: int
    parent_id: int | None
    """The caller's span; None for a trace that begins here."""
    state: bytes
    """The caller's tracestate; empty without one."""


def parse_traceparent(value: bytes) -> TraceParent | None:
    """None for what is malformed. Later versions are read as far as this one knows them, as the standard asks."""
    found = _FORM.fullmatch(value)
    if found is None or (value[:2] == b"00" and len(value) > VERSION_00_BYTES):
        return None
    return TraceParent(found[1], found[2], found[3] in _ODD)


def parent_of(head: RequestHead) -> TraceParent | None:
    """What the caller says; None without a traceparent, with a malformed one, and with two."""
    at = head.lowered.find(FIELD_START)
    if at < 0:
        return None
    start = at + len(FIELD_START)
    end = head.block.index(b"\r\n", start)
    if head.lowered.find(FIELD_START, end) >= 0:
        return None
    return parse_traceparent(head.block[start:end].strip(b" \t"))


def state_of(head: RequestHead) -> bytes:
    """The members of all the caller's tracestate fields, as one; empty where that is too long."""
    state = b",".join(head.values(STATE_FIELD))
    return state if len(state) <= MAX_STATE_BYTES else b""


def traceparent(trace_id: int, span_id: int) -> bytes:
    """The value for a recorded request."""
    return b"00-%032x-%016x-01" % (trace_id, span_id)


def with_traceparent(head: bytes, trace_id: int, span_id: int, *, keeps_state: bool) -> bytes:
    """A rendered request head with our traceparent in place of the caller's.

    A tracestate belongs to the traceparent that it came with: it stays only where the caller's trace goes on.
    """
    lowered = head.lower()
    if FIELD_START in lowered:
        head = without_field(head, FIELD)
    if not keeps_state and b"\r\n" + STATE_FIELD + b":" in lowered:
        head = without_field(head, STATE_FIELD)
    return with_line(head, b"%b: %b\r\n" % (FIELD, traceparent(trace_id, span_id)))


class Sampling:
    """One data plane's decisions. `bits` gives random ones, `now` monotonic seconds."""

    __slots__ = ("_bits", "_bound", "_now", "_strangers", "_tat")

    def __init__(self, share: float, *, bits: Callable[[int], int], now: Callable[[], float]) -> None:
        self._bits = bits
        self._now = now
        self._bound = round(share * (1 << 64))
        self._strangers = quota(STRANGERS_PER_S, STRANGERS_PER_S)
        self._tat = now()

    def is_drawn(self, trace_id: int) -> bool:
        """By the trace id alone, so that whoever draws by the same share draws the same traces."""
        return (trace_id & _LOW_64) < self._bound

    def decide(self, head: RequestHead | None, *, is_believed: bool) -> Recorded | None:
        """None for a request that is not recorded. `head` is None where there is no usable one, or nobody to hear.

        `is_believed`: whether the caller is a proxy or a gateway that we trust. Runs for every request.
        """
        parent = parent_of(head) if head is not None else None
        if parent is None or head is None:
            low = self._bits(64)
            if low >= self._bound:
                return None  # as nearly all: no more than one number was drawn for them
            return Recorded(self._bits(64) << 64 | low or 1, None, b"")
        if not parent.is_sampled or not (is_believed or self._honours_stranger()):
            return None
        return Recorded(int(parent.trace_id, 16), int(parent.span_id, 16), state_of(head))

    def _honours_stranger(self) -> bool:
        """Or draws: not by the trace id, which is the stranger's choice."""
        tat, wait_s = take(self._tat, self._now(), self._strangers)
        if not wait_s:
            self._tat = tat
            return True
        return self._bits(64) < self._bound
