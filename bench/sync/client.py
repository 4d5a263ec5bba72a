"""What can a client of a product do? One connection to one region, in whatever the product speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bench.sync.documents import Document

WINDOW: Final = 32
"""Documents that a polling observer asks about at once: at 1,000 a second, more than are on their way."""


@dataclass(frozen=True, slots=True)
class Side:
    """One region of one product, as another process can reach it."""

    product: str
    port: int
    is_durable: bool = True


class Refused(Exception):
    """The product answered, and not with what was asked for."""


class Client(Protocol):
    async def open(self) -> None: ...

    async def put(self, document: Document) -> None:
        """One document, one request; comes back when the product has acknowledged it. Raises Refused and OSError."""

    async def put_many(self, documents: Sequence[Document]) -> None:
        """One batch, one request."""

    async def present(self, keys: Sequence[str]) -> Collection[str]:
        """Those that can be read here."""
        ...

    def watch(self, keys: Sequence[str], since: str) -> AsyncIterator[Collection[str]]:
        """Keys as they become visible here, each soon after it is; ends after all of them."""
        ...

    async def mark(self) -> str:
        """Where a feed goes on after all that was read back; empty where there is none."""
        ...

    def read_back(self, run: str, keys: Sequence[str]) -> AsyncIterator[tuple[str, bytes]]:
        """Every document of a run that is here."""
        ...

    async def close(self) -> None: ...


async def polled(
    present: Callable[[Sequence[str]], Awaitable[Collection[str]]], keys: Sequence[str]
) -> AsyncIterator[Collection[str]]:
    """For a product without a feed: the first keys that were not seen yet are asked for again, without pause."""
    unseen = list(keys)
    while unseen:
        found = set(await present(unseen[:WINDOW]))
        if found:
            unseen = [key for key in unseen[:WINDOW] if key not in found] + unseen[WINDOW:]
            yield found
