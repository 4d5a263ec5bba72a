"""What does a reader of concurrent versions get? What the collection's function makes of them, or all of them and why.

    merged(plan, record)     remembered ──> the value        asked ──> the value        no ──> Unmerged(why)
    heard(member, ...)       which version of the function another store runs

Stores that run different versions would show their readers different values of one key: while one is heard that does,
readers get the versions themselves, and people are told.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sync.core.plans import CollectionPlan
from sync.resolving.resolver import Resolver, ResolverFailed
from sync.store import Record

REMEMBERED_BYTES: Final = 16 << 20
HEARD_FOR_S: Final = 60.0
"""A member that was silent for longer speaks for nobody's readers."""

Key = tuple[str, str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Merged:
    """One value of all versions."""

    value: bytes
    content_type: str
    resolver: str
    """module:function@version."""


@dataclass(frozen=True, slots=True)
class Unmerged:
    """The versions themselves."""

    why: str


class Merging:
    """One store's. `now` is monotonic seconds; `say(event, **facts)` logs what people should know."""

    def __init__(
        self,
        resolvers: Mapping[str, Resolver],
        *,
        now: Callable[[], float],
        say: Callable[..., None],
        remembered_bytes: int = REMEMBERED_BYTES,
    ) -> None:
        """`resolvers` by collection."""
        self._resolvers = dict(resolvers)
        self._now = now
        self._say = say
        self._heard: dict[str, dict[str, tuple[str, float]]] = {}
        self._remembered: OrderedDict[Key, bytes] = OrderedDict()
        self._bytes = 0
        self._room = remembered_bytes
        self._said: dict[str, str] = {}
        self.merges: dict[str, int] = {}
        """By collection: times that a function was asked and answered."""

    async def start(self) -> None:
        """Load every function and try its laws; what may not merge is said, and its versions stay side by side."""
        for collection, resolver in self._resolvers.items():
            try:
                await resolver.start()
            except ResolverFailed as failed:
                self._tell(collection, str(failed))

    async def close(self) -> None:
        for resolver in self._resolvers.values():
            await resolver.close()

    def version(self, collection: str) -> str:
        """Of the function that merges a collection here, for other members; empty where none does."""
        resolver = self._resolvers.get(collection)
        return "" if resolver is None else resolver.version

    def heard(self, member: str, collection: str, version: str) -> None:
        """A member says which version it runs."""
        if collection in self._resolvers and version:
            self._heard.setdefault(collection, {})[member] = (version, self._now())

    def differing(self, collection: str) -> dict[str, str]:
        """By member, versions other than ours that were heard lately."""
        ours, now = self.version(collection), self._now()
        return {
            member: version
            for member, (version, at) in self._heard.get(collection, {}).items()
            if version != ours and now - at <= HEARD_FOR_S
        }

    async def merged(self, plan: CollectionPlan, record: Record) -> Merged | Unmerged:
        resolver = self._resolvers.get(plan.name)
        if resolver is None:
            return Unmerged("no function merges this collection")
        if differing := self.differing(plan.name):
            member, version = next(iter(sorted(differing.items())))
            return self._unmerged(plan.name, f"{member} runs version {version}, this store {resolver.version}")
        values = [body.value for body in record.bodies]
        given = [value for value in values if value is not None]
        if len(given) < len(values):
            return Unmerged("a version was erased")
        types = {body.version.content_type for body in record.bodies}
        latest = max(record.bodies, key=lambda body: body.version.order).version.content_type
        content_type = types.pop() if len(types) == 1 else latest
        name = f"{resolver.name}@{resolver.version}"
        key = (plan.name, record.key, tuple(body.version.mark for body in record.bodies))
        known = self._remembered.get(key)
        if known is not None:
            self._remembered.move_to_end(key)
            return Merged(known, content_type, name)
        try:
            value = await resolver.merge(given)
        except ResolverFailed as failed:
            return self._unmerged(plan.name, str(failed))
        self._said.pop(plan.name, None)
        self.merges[plan.name] = self.merges.get(plan.name, 0) + 1
        self._remember(key, value)
        return Merged(value, content_type, f"{resolver.name}@{resolver.version}")

    def status(self, collection: str) -> dict[str, Any] | None:
        """For people; None where no function is configured."""
        resolver = self._resolvers.get(collection)
        if resolver is None:
            return None
        return {
            "function": resolver.name,
            "version": resolver.version,
            "problem": resolver.problem,
            "failures": resolver.failures,
            "merges": self.merges.get(collection, 0),
            "differing": self.differing(collection),
        }

    def _unmerged(self, collection: str, why: str) -> Unmerged:
        self._tell(collection, why)
        return Unmerged(why)

    def _tell(self, collection: str, why: str) -> None:
        """Once until it changes."""
        if self._said.get(collection) != why:
            self._said[collection] = why
            self._say("concurrent versions are not merged, all are shown", collection=collection, why=why)

    def _remember(self, key: Key, value: bytes) -> None:
        if len(value) > self._room // 4:
            return
        self._remembered[key] = value
        self._bytes += len(value)
        while self._bytes > self._room:
            _, oldest = self._remembered.popitem(last=False)
            self._bytes -= len(oldest)
