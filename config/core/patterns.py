"""How long may matching a regular expression take at worst, and what may a replacement say?

Python's matcher backtracks: `(a+)+$` over forty bytes never ends, and whoever sends the bytes is not who wrote the
expression. So each expression is judged when the configuration is loaded:

    steps(pattern, size)   an upper bound of what matching costs over `size` bytes, or a refusal
        = places where a match may start  x  ways to divide the bytes among repeats  x  bytes looked at

A repeat is one way only where what follows it cannot begin with what it repeats: `[^/]+/` is, `.*/` is not. A repeat of
a group that is itself ambiguous has no bound worth the name and is refused, as are look-around and back references,
whose cost this does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import _constants as op  # type: ignore[attr-defined]  # the standard library's own parser; it has no other door
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

ENDLESS: Final = 1 << 62
"""More steps than anybody waits for."""

_BYTES: Final = (1 << 256) - 1
_END: Final = 1 << 256
_NEWLINE: Final = 1 << 10
_REFERENCE: Final = re.compile(rb"\\(?:([1-9][0-9]?)|g<([A-Za-z_][A-Za-z0-9_]*|[0-9]{1,2})>)")


class PatternRefused(Exception):
    """With what was found and what was expected."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found, expected)
        self.found = found
        self.expected = expected


def compiled(pattern: str) -> re.Pattern[bytes]:
    """Raises `PatternRefused` for what is no regular expression over bytes."""
    try:
        return re.compile(pattern.encode())
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        raise PatternRefused(str(error), "a regular expression") from None


def check_replacement(pattern: re.Pattern[bytes], replacement: str, *, allowed: re.Pattern[bytes]) -> None:
    """Groups by number or name, and `allowed` text between them. Raises `PatternRefused`."""
    raw = replacement.encode()
    for reference in _REFERENCE.finditer(raw):
        name = (reference[1] or reference[2]).decode()
        known = int(name) <= pattern.groups if name.isdigit() else name in pattern.groupindex
        if not known:
            raise PatternRefused(f"group {name}, which the pattern does not have", "one of its groups")
    rest = _REFERENCE.sub(b"", raw)
    wrong = allowed.sub(b"", rest)
    if wrong:
        raise PatternRefused(
            f"{wrong[:20].decode('utf-8', 'replace')!r} in a replacement", "plain text and groups, such as /\\1"
        )


def longest(pattern: re.Pattern[bytes], *, most: int, steps_allowed: int) -> int:
    """The longest input, up to `most` bytes, over which matching stays within its steps; 0 where none does."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if steps(pattern, middle) <= steps_allowed:
            low = middle
        else:
            high = middle - 1
    return low


def steps(pattern: re.Pattern[bytes], size: int) -> int:
    """An upper bound of the matcher's steps over `size` bytes. Raises `PatternRefused`."""
    parsed = _parser.parse(pattern.pattern, pattern.flags)
    judge = _Judge(size, pattern.flags)
    cost = judge.sequence(list(parsed), follow=0)
    starts = 1 if judge.is_anchored(list(parsed)) else size + 1
    return min(ENDLESS, starts * cost.ways * max(1, cost.scan))


@dataclass(frozen=True, slots=True)
class _Cost:
    ways: int
    """In how many ways the same bytes may be divided."""
    scan: int
    """Bytes looked at in one way."""
    first: int
    """Bytes that it may begin with, as bits; with those of what follows where it may be empty."""
    may_be_empty: bool


class _Judge:
    """Reads one expression, from its end to its beginning."""

    def __init__(self, size: int, flags: int) -> None:
        self._size = size
        self._ignores_case = bool(flags & re.IGNORECASE)
        self._any = _BYTES if flags & re.DOTALL else _BYTES & ~_NEWLINE
        self._is_multiline = bool(flags & re.MULTILINE)

    def is_anchored(self, items: list[Any]) -> bool:
        if not items or self._is_multiline:
            return False
        code, value = items[0]
        if code is op.SUBPATTERN:
            return self.is_anchored(list(value[3]))
        return code is op.AT and value in (op.AT_BEGINNING, op.AT_BEGINNING_STRING)

    def sequence(self, items: list[Any], follow: int) -> _Cost:
        """`follow`: bytes that may come after it; none where nothing can fail any more."""
        whole = _Cost(1, 0, follow, may_be_empty=True)
        for item in reversed(items):
            one = self._item(item, whole.first)
            whole = _Cost(
                min(ENDLESS, whole.ways * one.ways),
                min(self._size, whole.scan + one.scan),
                one.first,
                whole.may_be_empty and one.may_be_empty,
            )
        return whole

    def _item(self, item: Any, follow: int) -> _Cost:
        code, value = item
        single = self._set(code, value)
        if single is not None:
            return _Cost(1, 1, single, may_be_empty=False)
        if code is op.AT:
            at_end = value in (op.AT_END, op.AT_END_STRING)
            return _Cost(1, 0, _END | _NEWLINE if at_end else follow, may_be_empty=True)
        if code is op.SUBPATTERN:
            _, added, removed, inner = value
            if added or removed:
                raise PatternRefused("flags inside a pattern", "flags at its beginning, such as (?i), or none")
            return self.sequence(list(inner), follow)
        if code is op.BRANCH:
            return self._branch([list(branch) for branch in value[1]], follow)
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self._repeat(value[0], value[1], value[2], follow)
        raise PatternRefused(
            f"{str(code).lower().replace('_', ' ')} in a pattern", "no look-around, no back reference, no possessive"
        )

    def _branch(self, branches: list[list[Any]], follow: int) -> _Cost:
        costs = [self.sequence(branch, follow) for branch in branches]
        first, overlap = 0, False
        for cost in costs:
            overlap = overlap or bool(first & cost.first)
            first |= cost.first
        ways = sum(cost.ways for cost in costs) if overlap else max(cost.ways for cost in costs)
        scan = max(cost.scan for cost in costs)
        return _Cost(ways, scan, first, may_be_empty=any(cost.may_be_empty for cost in costs))

    def _repeat(self, low: int, high: int, body: Any, follow: int) -> _Cost:
        items = list(body)
        times = self._size if high is op.MAXREPEAT else min(high, self._size)
        inner = self.sequence(items, follow)
        if high != 1:
            looping = self.sequence(items, follow | inner.first)  # after itself it may come again
            if inner.may_be_empty:
                raise PatternRefused("a repeat of what may be empty", "a repeat of at least one byte each time")
            if looping.ways > 1:
                raise PatternRefused(
                    "a repeat of a group that matches the same bytes in several ways", "a repeat without a choice in it"
                )
            inner = looping
        own = self.sequence(items, 0).first  # what the body itself begins with
        counts = max(1, times - low + 1)
        ways = inner.ways if not own & follow or counts == 1 else inner.ways * counts
        return _Cost(
            min(ENDLESS, ways),
            min(self._size, max(1, inner.scan) * max(1, times)),
            own | (follow if low == 0 else 0),
            may_be_empty=low == 0,
        )

    def _set(self, code: Any, value: Any) -> int | None:
        """The bytes that one position may hold; None for what is no single position."""
        if code is op.LITERAL:
            return self._cased(1 << value)
        if code is op.NOT_LITERAL:
            return _BYTES & ~self._cased(1 << value)
        if code is op.ANY:
            return self._any
        if code is not op.IN:
            return None
        found = 0
        negated = False
        for kind, what in value:
            if kind is op.NEGATE:
                negated = True
            elif kind is op.LITERAL:
                found |= 1 << what
            elif kind is op.RANGE:
                found |= ((1 << (what[1] - what[0] + 1)) - 1) << what[0]
            else:
                found |= _CATEGORIES[what]
        found = self._cased(found)
        return _BYTES & ~found if negated else found

    def _cased(self, found: int) -> int:
        if self._ignores_case:
            for upper in range(65, 91):
                if found >> upper & 1 or found >> (upper + 32) & 1:
                    found |= 1 << upper | 1 << (upper + 32)
        return found


def _bits(pattern: bytes) -> int:
    return sum(1 << code for code in range(256) if re.fullmatch(pattern, bytes((code,)), re.DOTALL))


_CATEGORIES: Final = {
    op.CATEGORY_DIGIT: _bits(rb"\d"),
    op.CATEGORY_NOT_DIGIT: _bits(rb"\D"),
    op.CATEGORY_SPACE: _bits(rb"\s"),
    op.CATEGORY_NOT_SPACE: _bits(rb"\S"),
    op.CATEGORY_WORD: _bits(rb"\w"),
    op.CATEGORY_NOT_WORD: _bits(rb"\W"),
}
