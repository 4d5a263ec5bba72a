"""How long can an expression of CEL take at the most? Counted before it is ever run: nothing can interrupt it then.

    unit                one name, value, operator or call over a text of 4096 characters: about a microsecond
    request.headers     20 units, as is `request` alone: they are copied
    text.matches(...)   40 units, and 40 more for each state of the pattern, `[a-z]{8}` having eight
    + anywhere          texts grow, so that all else counts as often again for each
    .exists(h, ...)     what is in the brackets counts for each element: of a list as written, of headers at most 100

Patterns are written out, so that their states can be counted: none comes from the request. An estimate from above, for
expressions as people write them: it reads signs and brackets, not CEL's grammar.
"""

from __future__ import annotations

import re
from typing import Final

MAX_UNITS: Final = 20_000
"""A few tens of plain expressions over the same request, at the very worst; what people write has under a thousand."""
MAX_TEXT: Final = 4096
"""Characters of each text of a request that an expression is shown."""
MAX_ELEMENTS: Final = 100
"""Headers that an expression is shown."""
MAX_FIELDS_BYTES: Final = 32 << 10
"""Of all headers together."""
PER_COPY: Final = 20
PER_MATCH: Final = 40
PER_STATE: Final = 40
ALL_BUT: Final = 4
"""States of `.` and `[^x]`."""
BY_UNICODE: Final = 25
r"""States of `\w`, `\d` and their like: it takes a millisecond to compile one, at every evaluation."""

COMPREHENSION: Final = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
_TEXT: Final = re.compile(
    r"[bB]?[rR][bB]?(?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|\"[^\"\n]*\")"
    r"|'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\"|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"",
    re.DOTALL,
)
_MATCHES: Final = re.compile(r"\bmatches\b")
_PATTERN: Final = re.compile(r"\bmatches\s*\(\s*(" + _TEXT.pattern + r")\s*\)", re.DOTALL)
_COPIED: Final = re.compile(r"\bheaders\b|\b(?:request|client)\b(?!\s*\.)")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_TOKEN: Final = re.compile(r"\w+|[^\w\s.,()\[\]{}]+|''")
_REPEAT: Final = re.compile(r"\{(\d+)?(,)?(\d+)?\}")


class CostUnknown(Exception):
    """It cannot be counted; the text says what was found."""


def cost_of(text: str) -> int:
    """Units that it takes at most. Raises `CostUnknown`."""
    bare = _TEXT.sub("''", text)
    if len(_MATCHES.findall(bare)) != len(_PATTERN.findall(text)):
        raise CostUnknown("a pattern that is not written out")
    growth = 1 + bare.count("+")
    signs = _blanked(text)
    begun = COMPREHENSION.search(signs)
    if begun is None:
        return growth * _units(text)
    end = _closing(signs, begun.end())
    elements = max(MAX_ELEMENTS, bare.count(",") + 1)
    return growth * (_units(text[: begun.end()]) + _units(text[end:]) + elements * _units(text[begun.end() : end]))


def _blanked(text: str) -> str:
    """As long as before, without what texts contain."""
    return _TEXT.sub(lambda found: "_" * len(found[0]), text)


def _closing(text: str, at: int) -> int:
    depth = 1
    while at < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def _units(text: str) -> int:
    bare = _TEXT.sub("''", text)
    matching = (PER_MATCH + PER_STATE * states(_content(found[1])) for found in _PATTERN.finditer(text))
    return len(_TOKEN.findall(bare)) + PER_COPY * len(_COPIED.findall(bare)) + sum(matching)


def _content(literal: str) -> str:
    """Of a text as it is written."""
    quote = literal[-1]
    prefix, _, rest = literal.partition(quote)
    content = rest.strip(quote)
    if "r" in prefix.lower():
        return content
    if any(found[1] not in "\\'\"" for found in _ESCAPED.finditer(content)):
        raise CostUnknown(f"the pattern {literal[:40]} with an escape that is none of \\\\, \\' and \\\"")
    return _ESCAPED.sub(r"\1", content)


def states(pattern: str) -> int:
    """Of a regular expression once its counted repetitions are written out; at least one."""
    whole = [0]
    last = at = 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "(":
            whole.append(0)
        elif sign == ")" and len(whole) > 1:
            last = whole.pop()
            whole[-1] += last
        elif sign == "{" and (found := _REPEAT.match(pattern, at - 1)):
            times = int(found[3] or found[1] or 1)
            whole[-1] += last * (max(1, times) - 1)
            last *= max(1, times)
            at = found.end()
        elif sign in "|*+?^$":
            continue
        else:
            last, at = _atom(pattern, sign, at)
            whole[-1] += last
    return max(1, sum(whole))


def _atom(pattern: str, sign: str, at: int) -> tuple[int, int]:
    """States of one character or class that begins with `sign`, and where it ends."""
    if sign == "[":
        start = at
        at += pattern.startswith("^", at)
        at += 1  # a bracket that comes first is a character
        while at < len(pattern) and pattern[at] != "]":
            at += 2 if pattern[at] == "\\" else 1
        content = pattern[start:at]
        return (BY_UNICODE if "\\" in content else ALL_BUT if content.startswith("^") else 1), at + 1
    if sign == "\\":
        kind = pattern[at : at + 1]
        at += 1
        if kind in {"p", "P", "x", "u"} and pattern.startswith("{", at):
            at = max(at, pattern.find("}", at)) + 1
        return (BY_UNICODE if kind in set("wWdDsSpPbB") else 1), at
    return (ALL_BUT if sign == "." else 1), at
