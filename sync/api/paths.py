"""What does a path name?

    /data/v1/batch                        POST
    /data/v1/openapi.json                 GET
    /data/v1/{collection}                 list
    /data/v1/{collection}/changes         feed
    /data/v1/{collection}/conflicts       what waits, what lost
    /data/v1/{collection}/{key}           a record
    /data/v1/{collection}/{key}/conflict  its versions

A key is all that follows its collection, slashes too (the gateway takes no %2F: upstreams read it differently), and
percent-encoded. `changes`, `conflicts` and what ends in `/conflict` are no keys.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from sync.api.problems import Problem

ROOT: Final = "/data/v1/"
MAX_KEY_BYTES: Final = 1024
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
RESERVED: Final = frozenset({"changes", "conflicts"})

Kind = Literal["batch", "openapi", "list", "changes", "conflicts", "record", "conflict"]


class Target(NamedTuple):
    """What a request is about."""

    kind: Kind
    collection: str = ""
    key: str = ""


def target_of(raw_path: str) -> Target:
    """From the path as it was sent. Raises Problem."""
    path = raw_path.partition("?")[0]
    if not path.startswith(ROOT):
        raise _unknown(path)
    first, *rest = path[len(ROOT) :].split("/")
    if not rest and first in {"batch", "openapi.json"}:
        return Target("batch" if first == "batch" else "openapi")
    collection = decoded(first)
    if not rest:
        return Target("list", collection)
    if len(rest) == 1 and rest[0] in RESERVED:
        return Target("changes" if rest[0] == "changes" else "conflicts", collection)
    if len(rest) > 1 and rest[-1] == "conflict":
        return Target("conflict", collection, checked_key(decoded("/".join(rest[:-1]))))
    return Target("record", collection, checked_key(decoded("/".join(rest))))


def decoded(segment: str) -> str:
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeError:
        raise Problem(400, "bad_path", "a path that is not UTF-8, expected percent-encoded UTF-8") from None


def checked_key(key: str) -> str:
    """Raises Problem."""
    if not key or key in RESERVED or key.endswith("/conflict"):
        raise Problem(400, "bad_key", f"the key {key[:100]!r}, expected one that names no resource of its own")
    try:
        size = len(key) if key.isascii() else len(key.encode())
    except UnicodeEncodeError:
        raise Problem(400, "bad_key", "a key with half a surrogate pair, expected Unicode text") from None
    if size > MAX_KEY_BYTES:
        raise Problem(400, "bad_key", f"a key of {size} bytes, expected at most {MAX_KEY_BYTES}")
    if _CONTROL.search(key) is not None:
        raise Problem(400, "bad_key", "a key with control characters, expected none")
    return key


def _unknown(path: str) -> Problem:
    return Problem(404, "no_such_path", f"found no {path[:200]}, expected a path of {ROOT}openapi.json")
