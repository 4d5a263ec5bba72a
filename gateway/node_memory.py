"""What do the workers of a node share? One piece of memory in three parts, which lives as long as one of them has it.

    limits   who came how often                          gateway/admission/table.py
    seen     which hops between gateways were taken      gateway/seen.py
    places   what each worker holds of services' caps    gateway/places.py

Every change is made under a lock that is never waited for by sleeping (gateway/byte_locks.py), and nothing in it is
needed to serve: whoever finds it as a worker left it that was killed goes on from there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from gateway.admission.table import Table, head_of_empty, table_bytes
from gateway.places import PLACES_BYTES, Places
from gateway.seen import SEEN_BYTES, Seen

_SEEN_AT: Final = table_bytes()
_PLACES_AT: Final = _SEEN_AT + SEEN_BYTES


def create() -> int:
    """A descriptor, empty, for workers to inherit. What nobody writes to takes no memory."""
    descriptor = os.memfd_create("tidegate", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, _PLACES_AT + PLACES_BYTES)
    os.pwrite(descriptor, head_of_empty(), 0)
    return descriptor


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """One worker's view."""

    limits: Table
    seen: Seen
    places: Places | None
    """None where there is nobody to share them with."""

    @classmethod
    def shared(cls, descriptor: int, *, me: int, workers: int) -> NodeMemory:
        """As the worker `me` of so many sees it."""
        places = Places(descriptor, at=_PLACES_AT, me=me, workers=workers) if workers > 1 else None
        return cls(Table(descriptor), Seen(descriptor, at=_SEEN_AT), places)

    @classmethod
    def alone(cls) -> NodeMemory:
        """Of a process that shares with nobody."""
        return cls(Table(), Seen(None), None)
