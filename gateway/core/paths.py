"""Which path is this, really? One spelling for all that mean the same, or a refusal where readers would differ.

The path is routed by and forwarded in this one form: no spelling gets around a route, and none reaches an upstream that
was not routed. RFC 3986 section 6.2.2.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import RequestRefused

_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})?")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_UNSAFE: Final = frozenset((*range(0x20), 0x7F, ord("/"), ord("\\")))


def normalise_path(path: bytes) -> bytes:
    """RFC 3986 section 6.2.2: unreserved escapes decoded, others in capitals, empty and dot segments removed.

    Raises `RequestRefused` for what an upstream may read as another path than ours.
    """
    if b"\\" in path:
        raise RequestRefused("a path with a backslash")
    segments: list[bytes] = []
    parts = _ESCAPE.sub(_decoded, path).split(b"/")[1:]
    for part in parts:
        if part == b"..":
            if not segments:
                raise RequestRefused("a path that climbs above its root")
            segments.pop()
        elif part not in (b"", b"."):
            segments.append(part)
    normal = b"/" + b"/".join(segments)
    if segments and parts[-1] in (b"", b".", b".."):
        normal += b"/"
    return normal


def _decoded(escape: re.Match[bytes]) -> bytes:
    digits = escape[1]
    if digits is None:
        raise RequestRefused("a path with '%' that two hexadecimal digits do not follow")
    code = int(digits, 16)
    if code in _UNSAFE:
        raise RequestRefused(f"a path with %{digits.decode()}, which upstreams read differently")
    return bytes((code,)) if code in _UNRESERVED else escape[0].upper()
