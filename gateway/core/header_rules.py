"""What do a message's field lines say, and what becomes of them? Blocks of whole lines, each ended by CRLF.

Rules are compiled once a configuration: names to drop, in lower case and with `-` for `_` (behind many servers the two
are one), and the lines to add, rendered.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from config.models.shaping import HeaderChanges
from gateway.core.admission import replace_fields

_FACT: Final = re.compile(rb"(?:^|(?<=\n))(cache-control|content-(?:encoding|range|type)|etag|vary):[ \t]*([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """What is dropped, what is added."""

    dropped: tuple[bytes, ...]
    added: bytes
    """Whole lines."""

    def apply(self, fields: bytes) -> bytes:
        return replace_fields(fields, self.dropped, self.added)


def header_rules(changes: HeaderChanges) -> HeaderRules | None:
    """None where nothing is asked for."""
    if not changes.set and not changes.append and not changes.remove:
        return None
    dropped = dict.fromkeys(dash(name) for name in (*changes.set, *changes.remove))
    lines = [(name, value) for name, value in changes.set.items() if value is not None]
    lines += changes.append.items()
    return HeaderRules(tuple(dropped), b"".join(f"{name}: {value}\r\n".encode() for name, value in lines))


def with_lines(rules: HeaderRules | None, lines: Iterable[bytes], *, dropped: Collection[bytes]) -> HeaderRules:
    """The rules, and these lines in place of whatever else had their names, whoever added it."""
    names = tuple(dropped)
    if rules is None:
        return HeaderRules(names, b"".join(lines))
    kept = replace_fields(rules.added, names, b"")
    return HeaderRules((*rules.dropped, *names), kept + b"".join(lines))


def dash(name: str) -> bytes:
    return name.lower().replace("_", "-").encode()


def facts_of(fields: bytes) -> dict[bytes, bytes]:
    """What an answer says of its body: lower-case name to value as sent, several joined by commas."""
    found: dict[bytes, bytes] = {}
    lowered = fields.lower()
    for field in _FACT.finditer(lowered):
        name = field[1]
        value = fields[field.start(2) : field.end(2)].rstrip(b" \t")
        found[name] = found[name] + b", " + value if name in found else value
    return found
