"""All names among the endpoints: looks each up when it is due, and says when somebody else stands behind one.

    reconcile(names, ...) ──> one ledger a name (health/core/discovery.py); those that stay keep what they know
    run() ── due ──> lookup, at most `LOOKUPS_AT_ONCE` ──> ledger ──> on_change(), when whom it stands for has changed

A lookup that fails, hangs or has a defect costs its own name a retry and nobody else anything.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from health.core.discovery import Answer, Bounds, Found, LookupFailed, Name, NameLedger

logger = logging.getLogger(__name__)

LOOKUPS_AT_ONCE = 32
GRAIN_S = 0.01
"""The loop sleeps at least so long: names that are due together are looked up together."""


class Asks(Protocol):
    """What this needs of `health.discovery.resolver.Resolver`."""

    async def lookup(self, name: Name) -> Answer:
        """Raises `LookupFailed`."""


class Names:
    """See the module. Nothing here is safe to call from another thread."""

    def __init__(
        self,
        *,
        on_change: Callable[[], None],
        rng: random.Random,
        wall: Callable[[], float],
        clock: Callable[[], float],
        make_resolver: Callable[[str | tuple[str, ...]], Asks],
    ) -> None:
        self._on_change = on_change
        self._rng = rng
        self._wall = wall
        self._clock = clock
        self._make_resolver = make_resolver
        self._resolvers: str | tuple[str, ...] | None = None
        self._resolver: Asks | None = None
        self._bounds = Bounds(5.0, 300.0)
        self._ledgers: dict[str, NameLedger] = {}
        self._saved: Mapping[str, Sequence[Found]] = {}
        self._looking: dict[str, NameLedger] = {}
        self._wake = asyncio.Event()

    def reconcile(self, names: Sequence[Name], *, resolvers: str | tuple[str, ...], bounds: Bounds) -> None:
        """Looks these up from now on, and no others. What was learnt of those that stay, stays."""
        ledgers = {}
        for name in names:
            known = self._ledgers.get(name.key)
            if known is None or known.name != name:
                known = NameLedger(name, wall=self._wall())
                known.resume(self._saved.get(name.key, ()), wall=self._wall())
            ledgers[name.key] = known
        self._ledgers = ledgers
        self._saved = {}
        if resolvers != self._resolvers or bounds != self._bounds:
            self._resolvers, self._bounds = resolvers, bounds
            self._resolver = self._make_resolver(resolvers) if names else None
            for ledger in ledgers.values():
                ledger.due = -math.inf  # others are asked from now on, or the same for other spans
        elif self._resolver is None and names:
            self._resolver = self._make_resolver(resolvers)
        self._wake.set()

    def restore(self, saved: Mapping[str, Sequence[Found]]) -> None:
        """What an earlier process knew, for the names that the next `reconcile` brings."""
        self._saved = saved

    def found(self) -> dict[str, tuple[Found, ...]]:
        """Whom each name stands for, be it nobody; one that nobody has answered for yet is not named."""
        return {key: ledger.found for key, ledger in self._ledgers.items() if ledger.is_known}

    def ledgers(self) -> tuple[NameLedger, ...]:
        """All that is known, to be read only."""
        return tuple(self._ledgers.values())

    async def run(self) -> None:
        """Looks names up until cancelled."""
        async with asyncio.TaskGroup() as lookups:
            while True:
                self._wake.clear()
                due = self._start_due(lookups)
                wait_s = None if due == math.inf else max(GRAIN_S, due - self._clock())
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass

    def _start_due(self, lookups: asyncio.TaskGroup) -> float:
        """Starts what is due and has room; returns when the next one will be due (inf: when something happens)."""
        now = self._clock()
        next_due = math.inf
        for key, ledger in sorted(self._ledgers.items(), key=lambda item: item[1].due):
            if key in self._looking:
                continue
            if ledger.due > now:
                return min(next_due, ledger.due)
            if len(self._looking) >= LOOKUPS_AT_ONCE:
                break
            self._looking[key] = ledger
            lookups.create_task(self._look_up(key, ledger), name=f"lookup of {ledger.name.host}")
        return next_due

    async def _look_up(self, key: str, ledger: NameLedger) -> None:
        resolver, bounds = self._resolver, self._bounds
        before = ledger.standing
        changed = False
        try:
            if resolver is None:
                raise LookupFailed("no resolver")
            answer = await resolver.lookup(ledger.name)
            changed = ledger.answered(answer, bounds, now=self._clock(), wall=self._wall(), rng=self._rng)
        except LookupFailed as error:
            ledger.failed(str(error), bounds, now=self._clock(), wall=self._wall(), rng=self._rng)
        except Exception as error:
            logger.exception("lookup of %s ended by a defect of its own", ledger.name.host)
            reason = f"lookup defect: {type(error).__name__}"
            ledger.failed(reason, bounds, now=self._clock(), wall=self._wall(), rng=self._rng)
        finally:
            del self._looking[key]
            self._wake.set()
        if self._ledgers.get(key) is not ledger:
            return  # reconfigured meanwhile
        if changed or ledger.standing != before:
            level = logging.INFO if ledger.standing == "current" else logging.WARNING
            logger.log(level, "name %s is %s: %s", ledger.name.host, ledger.standing, ledger.reason)
        if changed:
            try:
                self._on_change()
            except Exception:
                logger.exception("a change of endpoints could not be passed on")
