"""What in an answer's body is replaced, and by what? Only in bodies of the types named, whole, and not encoded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from config.core.patterns import compiled
from config.models.shaping import ResponseBody
from gateway.core.response import ResponseHead


@dataclass(frozen=True, slots=True)
class BodyRules:
    """One route's."""

    types: frozenset[bytes]
    """Lower case, without parameters."""
    families: tuple[bytes, ...]
    """`text/` of `text/*`."""
    replacements: tuple[tuple[re.Pattern[bytes], bytes], ...]
    max_size: int

    def wants(self, head: ResponseHead, facts: dict[bytes, bytes]) -> bool:
        """Whether such an answer is held for it, as far as its head tells. One without a body is wanted too."""
        if head.status < 200 or head.status in (204, 205, 206, 304) or head.body_length > self.max_size:
            return False
        if facts.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            return False
        kind = facts.get(b"content-type", b"").partition(b";")[0].strip(b" \t").lower()
        return kind in self.types or (bool(kind) and kind.startswith(self.families))

    def apply(self, body: bytes) -> bytes:
        """Takes bounded time: see config/core/patterns.py."""
        for pattern, replacement in self.replacements:
            # A function, not the text: between two matches other threads get their turn.
            body = pattern.sub(lambda match, text=replacement: match.expand(text), body)  # type: ignore[misc]
        return body


def body_rules(written: ResponseBody | None) -> BodyRules | None:
    if written is None:
        return None
    types = [name.lower().encode() for name in written.content_types]
    return BodyRules(
        types=frozenset(types),
        families=tuple(name[:-1] for name in types if name.endswith(b"/*")),
        replacements=tuple((compiled(one.pattern), one.replacement.encode()) for one in written.replace),
        max_size=written.max_size,
    )
