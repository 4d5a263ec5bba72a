"""Has this store applied everything that others had when it was asked? Each is asked for its heads, then waited for.

Without sharing a clock: what another store had applied before it answered is below the vector of its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync.core.dots import VersionVector, includes, joined
from sync.core.wire import FrameRefused
from sync.replication.asking import Asking
from sync.replication.link import Link, OwnAddress, PeerRefused, PeerUnavailable
from sync.store import Store


@dataclass(frozen=True, slots=True)
class Passed:
    """What came of it."""

    is_caught_up: bool
    silent: tuple[str, ...]
    """Peers that did not answer."""
    regions: frozenset[str] = frozenset()
    """Of which one did."""


async def pass_barrier(
    store: Store, stream: str, links: Sequence[Link], *, timeout_s: float, now: Callable[[], float], needs_all: bool
) -> Passed:
    """At most so long. `needs_all`: whether a silent peer ends it at once."""
    until = now() + timeout_s
    asked = await asyncio.gather(*(_heads(link, stream, store.origin(stream), timeout_s) for link in links))
    silent = tuple(link.name for link, heads in zip(links, asked, strict=True) if heads is None)
    if silent and needs_all:
        return Passed(is_caught_up=False, silent=silent)
    regions = frozenset(link.region for link, heads in zip(links, asked, strict=True) if heads is not None)
    wanted: VersionVector = {}
    for heads in asked:
        wanted = joined(wanted, heads or {})
    while True:
        position = (await store.cursor(stream)).position
        if includes((await store.heads(stream)).applied, wanted):
            return Passed(is_caught_up=True, silent=silent, regions=regions)
        left_s = until - now()
        if left_s <= 0 or not await store.wait_for_change({stream: position}, timeout_s=left_s):
            return Passed(is_caught_up=False, silent=silent, regions=regions)


async def _heads(link: Link, stream: str, life: str, timeout_s: float) -> VersionVector | None:
    try:
        async with asyncio.timeout(timeout_s):
            return (await Asking(link, stream, life=life).compare(())).applied
    except OwnAddress:
        return {}
    except (PeerUnavailable, PeerRefused, FrameRefused, TimeoutError):
        return None
