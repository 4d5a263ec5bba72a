"""Which servers do nodes count in together? As `stores.limits` says; a reload that leaves it as it is changes nothing.

scope region    the server of this region, among its nodes         (one a peer address, or this one alone)
scope global    the server for all regions, among all nodes
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from config.models import Config
from config.models.stores import RedisLimits
from config.models.values import SecretReference
from config.secrets import SecretUnavailable, resolve
from gateway.admission.counters import Leased
from gateway.admission.published_keys import Spawn
from gateway.restarting import lasting

if TYPE_CHECKING:
    from gateway.admission.leases import SharedTokens

_log = logging.getLogger("gateway.admission")


class SharedStores:
    """One data plane's."""

    def __init__(
        self, *, environ: Mapping[str, str], now: Callable[[], float], workers: int, spawn: Spawn | None
    ) -> None:
        """Without `spawn` nobody is asked, for explanations only."""
        self.by_scope: dict[str, Leased] = {}
        self.sharers: dict[str, int] = {}
        """By scope: how many nodes have a part in it."""
        self._environ = environ
        self._now = now
        self._workers = workers
        self._spawn = spawn
        self._lines: dict[str, tuple[object, SharedTokens, asyncio.Task[None]]] = {}

    def adopt(self, config: Config) -> None:
        """`config` is in force."""
        nodes = {region.id: max(1, len(region.peers)) for region in config.regions}
        self.sharers |= {"region": nodes.get(config.node.region or "", 1), "global": sum(nodes.values())}
        if self._spawn is None:
            return
        wanted = self._wanted(config)
        for scope, (place, store, task) in list(self._lines.items()):
            if wanted.get(scope) != place:
                del self._lines[scope], self.by_scope[scope]
                task.cancel()
                self._spawn(store.close(), f"leaving the store of scope {scope}")
        for scope, place in wanted.items():
            if scope not in self._lines:
                from gateway.admission.leases import SharedTokens  # noqa: PLC0415 - needs the extra `redis`

                url, sharers = place
                store = SharedTokens(url, scope=scope, nodes=sharers, workers=self._workers, now=self._now)
                name = f"limits of scope {scope}"
                self._lines[scope] = (place, store, self._spawn(lasting(store.run, name), name))
                self.by_scope[scope] = store

    def _wanted(self, config: Config) -> dict[str, tuple[str, int]]:
        """By scope: the server's URL, and how many nodes count there."""
        limits = config.stores.limits
        if not isinstance(limits, RedisLimits):
            return {}
        found = {}
        for scope, url in (("region", limits.region), ("global", limits.global_)):
            try:
                if isinstance(url, SecretReference):
                    found[scope] = (resolve(url, environ=self._environ).decode(), self.sharers[scope])
                elif url is not None:
                    found[scope] = (url, self.sharers[scope])
            except (SecretUnavailable, UnicodeDecodeError) as error:
                _log.error("limits of scope %s are counted by this node alone: %s", scope, error)
        return found

    def problems(self) -> dict[str, str]:
        """By scope: why nodes do not count together now; empty where they do."""
        return {scope: store.problem for scope, (_, store, _) in self._lines.items()}

    def overflowed(self) -> int:
        """Requests whose key found no place among the leases."""
        return sum(store.book.overflowed for _, store, _ in self._lines.values())

    async def close(self) -> None:
        """Give back what is leased."""
        lines, self._lines = self._lines, {}
        self.by_scope.clear()
        for _, store, task in lines.values():
            task.cancel()
            await store.close()
