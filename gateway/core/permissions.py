"""May this be done to that collection? What a route of `builtin:data` grants, by the data API's paths (API.md).

    GET, HEAD, OPTIONS  read        all else  write        /data/v1/{collection}...
    POST /data/v1/batch             names its collections in its body, which is not read here: it needs read and write
                                    of every collection that the configuration has

A path that is none of the data API's grants nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.core import reasons
from gateway.core.access import forbidden
from gateway.core.head import SAFE
from gateway.core.problems import Answer

ROOT: Final = b"/data/v1/"
BATCH: Final = "batch"


class Permissions:
    """Immutable."""

    __slots__ = ("_granted", "_may_batch", "_route")

    def __init__(self, route: str, granted: Mapping[str, Iterable[str]], collections: Iterable[str]) -> None:
        """`collections`: all that the configuration has."""
        self._route = route
        self._granted = {name: frozenset(rights) for name, rights in granted.items()}
        self._may_batch = all(self._granted.get(name, frozenset()) >= {"read", "write"} for name in collections)

    def refuses(self, method: str, path: bytes) -> Answer | None:
        name = path[len(ROOT) :].partition(b"/")[0].decode("ascii", "replace") if path.startswith(ROOT) else ""
        needed = "read" if method in SAFE else "write"
        if name == BATCH and needed == "write":
            if self._may_batch:
                return None
            detail = f"a batch, for which route {self._route} would have to grant reading and writing every collection"
        elif needed in self._granted.get(name, ()):
            return None
        else:
            detail = f"route {self._route} does not grant to {needed} this collection"
        return forbidden(reasons.PERMISSION_DENIED, detail)
