"""Where is the client sent instead? A route's redirect, from a template that was checked when it was loaded.

Nothing of a request can end the line: a path has visible characters only and is normalised, so that it never begins
with `//` and never names another host; what a URL may not hold (RFC 3986) is written as an escape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from config.models.routes import Redirect
from gateway.core import reasons
from gateway.core.problems import Answer
from gateway.core.routes import Facts

_VARIABLE: Final = re.compile(r"\$\{(path|query|host)\}")
_UNWISE: Final = re.compile(rb"[^!$%&'()*+,./0-9:;=?@A-Z_a-z~\-\[\]]")


@dataclass(frozen=True, slots=True)
class RedirectRules:
    """One route's."""

    status: int
    parts: tuple[bytes | str, ...]
    """Text as bytes, variables as names."""

    def location(self, facts: Facts) -> bytes:
        given = {"path": facts.path, "query": facts.query, "host": facts.host.encode()}
        return b"".join(_UNWISE.sub(_escaped, given[part]) if isinstance(part, str) else part for part in self.parts)

    def answer(self, facts: Facts) -> Answer:
        location = self.location(facts)
        return Answer(self.status, reasons.REDIRECTED, f"it is at {location.decode('ascii')}", "", location=location)


def redirect_rules(redirect: Redirect) -> RedirectRules:
    parts: list[bytes | str] = []
    end = 0
    for variable in _VARIABLE.finditer(redirect.to):
        if variable.start() > end:
            parts.append(redirect.to[end : variable.start()].encode())
        parts.append(variable[1])
        end = variable.end()
    if end < len(redirect.to):
        parts.append(redirect.to[end:].encode())
    if "path" in parts and "query" not in parts and "?" not in redirect.to and "#" not in redirect.to:
        parts.append("query")
    return RedirectRules(redirect.status, tuple(parts))


def _escaped(character: re.Match[bytes]) -> bytes:
    return b"%%%02X" % character[0][0]
