"""What must an acceptor's memory be able to do? Show itself, and replace what has not changed since.

One compare-and-set on the acceptor's own description (`meta`) covers everything beside it, because every change counts
its tick up. A `swap` that returned True is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from health.core.lease import REGISTER as LEASE

HINTS_AGAIN_S = 5.0
"""After a connection that brings hints was lost; meanwhile polling finds out the same, a second later."""


class CellsUnavailable(Exception):
    """The memory does not answer, or cannot be trusted to keep anything. Whether a swap happened is not known."""


class Held(msgspec.Struct, frozen=True):
    """What was asked for. `meta` None: there is no memory yet, or none that can be trusted."""

    meta: bytes | None
    registers: dict[str, bytes]


class Cells(Protocol):
    async def load(self, register: str | None, *, everything: bool) -> Held:
        """`register` alone, or everything. Raises `CellsUnavailable`."""
        ...

    async def swap(self, expected: bytes | None, meta: bytes, changes: Mapping[str, bytes | None]) -> bool:
        """Whether `expected` was still there; None: to begin a memory, with nothing of an earlier one left.

        Raises `CellsUnavailable`.
        """
        ...

    async def listen(self, hint: Callable[[], None]) -> None:
        """Calls `hint` when somebody may have changed something, until cancelled; returns where nobody tells.

        Nothing may rely on it: what matters is found by polling too.
        """
        ...

    async def close(self) -> None: ...


def is_news(changes: Iterable[str]) -> bool:
    """Whether these registers are worth a hint: a lease is renewed all the time, and its holder's own business."""
    return any(name != LEASE for name in changes)
