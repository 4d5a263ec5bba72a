"""Which path and host does the endpoint see? A route's rewriting, after it was routed by what the client sent.

The new path goes through the same normalisation as the client's own: what an endpoint gets is never a spelling that we
would have refused. A path longer than the pattern can take within its steps (config/core/patterns.py) is refused, 414.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from config.core.patterns import compiled, longest
from config.models.shaping import LONGEST_PATH, PATH_STEPS, Rewrite
from gateway.core import reasons
from gateway.core.paths import normalise_path
from gateway.errors import RequestRefused


@dataclass(frozen=True, slots=True)
class PathRules:
    """One pattern and what stands in its place."""

    pattern: re.Pattern[bytes]
    replacement: bytes
    longest: int
    """Bytes of a path that is still matched."""

    def apply(self, path: bytes, query: bytes) -> tuple[bytes, bytes]:
        """The new path and query (with its `?`, or empty). Raises `RequestRefused`."""
        if len(path) > self.longest:
            raise RequestRefused(
                f"a path of {len(path)} bytes, at most {self.longest} can be rewritten",
                status=414,
                reason=reasons.PATH_NOT_REWRITABLE,
            )
        written = self.pattern.sub(self.replacement, path)
        if written == path:
            return path, query
        written, mark, added = written.partition(b"?")
        if mark:
            query = b"?" + added + (b"&" + query[1:] if query[1:] else b"")
        if written[:1] != b"/":
            written = b"/" + written
        return normalise_path(written), query


def path_rules(rewrite: Rewrite) -> PathRules | None:
    if rewrite.path is None:
        return None
    pattern = compiled(rewrite.path.pattern)
    return PathRules(
        pattern,
        rewrite.path.replacement.encode(),
        longest(pattern, most=LONGEST_PATH, steps_allowed=PATH_STEPS),
    )


def host_line(rewrite: Rewrite) -> bytes | None:
    """The Host line for endpoints, where it is not the client's."""
    if rewrite.host is None:
        return None
    host = f"[{rewrite.host}]" if ":" in rewrite.host else rewrite.host
    return f"Host: {host}\r\n".encode()
