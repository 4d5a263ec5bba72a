"""JSON merge patch (RFC 7386): objects are merged, null removes, anything else replaces."""

from __future__ import annotations

from typing import Any, Final

import msgspec

CONTENT_TYPE: Final = "application/merge-patch+json"
MAX_DEPTH: Final = 64
"""Deeper documents are refused: recursion is bounded by us, not by the interpreter."""


class PatchRefused(Exception):
    """The patch, or what it is to be applied to, is no JSON. The message says what was found."""


def patched(document: bytes | None, patch: bytes) -> bytes:
    """The merged document; None is a document that does not exist yet. Raises PatchRefused."""
    target = None if document is None else _decoded(document, "the stored value")
    return msgspec.json.encode(_merged(target, _decoded(patch, "the patch"), 0))


def _decoded(data: bytes, what: str) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PatchRefused(f"{what} is no JSON, expected a JSON document") from None


def _merged(target: Any, patch: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise PatchRefused(f"the patch is nested deeper than {MAX_DEPTH} levels")
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value, depth + 1)
    return result
