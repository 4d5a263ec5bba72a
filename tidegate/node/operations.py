"""What have people ordered of the traffic, and how far is it carried out on this node and on the others?

    rows `drain`, `override`  ──all nodes' or this node's own──>  Drains  ──step by step──>  states by endpoint
                                                                                           ──> publication
    reports of data planes    ──>  what still flies            ──soft row──>  the other nodes

Rows survive every restart and reach every node; with no majority the orders in force stay in force. An order for this
node alone is kept in its own file, needs nobody, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from config.models import endpoint_id
from gateway.messages import EndpointState, OperatorState
from health.core.drain import Drains, Order, Scope, Target
from health.core.rows import SoftRow, StateError, understood
from health.state.store import StateStore

if TYPE_CHECKING:
    from tidegate.node.control import Control

DRAIN, OVERRIDE, PROGRESS = "drain", "override", "drained"
"""Kinds of rows; the last is soft."""
EVERY_S = 1.0
"""Between two looks at what still flies; shares move when they are due."""
PROGRESS_TTL_S = 5.0
FORGOTTEN_AFTER_S = 5.0
"""An undrain that is over keeps its row so long, for nodes whose clocks are behind."""


class Override(msgspec.Struct, frozen=True):
    """Somebody knows better than the probes."""

    state: Literal["up", "down"]
    at: float
    author: str
    reason: str
    forced: tuple[str, ...] = ()
    node: str = ""


class Progress(msgspec.Struct, frozen=True):
    """How far a drain is on one node."""

    share: float
    in_flight: int
    streams: int = 0
    sessions: int | None = None
    """Sessions that stick there, as far as this node has seen; None where sessions do not stick."""
    settled: bool = False
    """The data planes route by the last step, and nothing flies any more."""
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """The same, with whose it is."""

    node: str
    progress: Progress


class Operations:
    """One node's view of the orders. `refresh` reads the rows, `apply` says what follows from them."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._drains = Drains()
        self._overrides: dict[Scope, dict[str, tuple[int, Override]]] = {"all": {}, "local": {}}
        self._settling: dict[str, int] = {}
        """By endpoint that has share 0: the version from which on data planes know."""
        self._version = 0
        self._said: set[str] = set()
        self._troubled: set[str] = set()

    @property
    def drains(self) -> Drains:
        return self._drains

    def store(self, scope: Scope) -> StateStore:
        return self._control.local_state if scope == "local" else self._control.state

    # What is in force

    def refresh(self) -> None:
        """Read the rows anew."""
        now, wall = self._control.clock(), self._control.wall()
        scope: Scope
        for scope in ("all", "local"):
            store = self.store(scope)
            drains, troubles = understood(store.rows(DRAIN), Order)
            wrong = self._drains.adopt(
                scope, [(row.key, row.version, order) for row, order in drains], now=now, wall=wall
            )
            overrides, more = understood(store.rows(OVERRIDE), Override)
            self._overrides[scope] = {row.key: (row.version, override) for row, override in overrides}
            self._complain([str(trouble) for trouble in (*troubles, *more)] + wrong)

    def apply(self) -> None:
        """Tell the data planes what follows from the orders, at this moment."""
        now = self._control.clock()
        endpoints = self.endpoints() if self._has_orders() else set()
        states = {endpoint: state for endpoint in endpoints if (state := self._state(endpoint, now=now))}
        if states != self._control.operator:
            self._control.operator = states
            self._control.publisher.changed()

    def override(self, endpoint: str) -> tuple[Scope, Override] | None:
        """This node's own word goes before everybody's."""
        scope: Scope
        for scope in ("local", "all"):
            if endpoint in self._overrides[scope]:
                return scope, self._overrides[scope][endpoint][1]
        return None

    def override_version(self, scope: Scope, endpoint: str) -> int:
        return self._overrides[scope][endpoint][0] if endpoint in self._overrides[scope] else 0

    def verdicts(self, found: Mapping[str, EndpointState]) -> dict[str, EndpointState]:
        """What data planes are told of the probes: a person's `up` stands before them."""
        told = dict(found)
        for scope in ("all", "local"):
            for endpoint, (_, override) in self._overrides[scope].items():
                if override.state == "up" and endpoint in told:
                    told[endpoint] = EndpointState("up", _overridden(override))
        return told

    def endpoints(self) -> set[str]:
        """All that there are, by configuration and discovery."""
        config = self._control.configuration.loaded.config
        configured = {
            endpoint_id(service.id, endpoint)
            for service in config.services
            for endpoint in service.endpoints
            if endpoint.address is not None
        }
        return configured | set(self._control.prober.endpoints())

    def _has_orders(self) -> bool:
        """Where there are none, looking at thousands of endpoints each second would be for nothing."""
        regions = self._control.configuration.loaded.config.regions
        is_ordered = bool(len(self._drains) or self._overrides["all"] or self._overrides["local"])
        return is_ordered or any(region.role == "disaster_recovery" for region in regions)

    def overrides(self) -> list[tuple[str, Override]]:
        """By endpoint, those in force."""
        names = sorted({*self._overrides["all"], *self._overrides["local"]})
        return [(name, found[1]) for name in names if (found := self.override(name)) is not None]

    def _state(self, endpoint: str, *, now: float) -> OperatorState | None:
        found = self.override(endpoint)
        if found is not None and found[1].state == "down":
            return OperatorState(disabled=True, reason=_overridden(found[1]))
        standby = self._control.failing_over.standby(endpoint.split("/", 2)[1])
        if standby is not None:
            return OperatorState(disabled=True, reason=standby)
        standing = self._drains.standing(endpoint, now=now)
        if standing is None:
            return None
        return OperatorState(
            share=standing.share,
            is_draining=standing.is_draining,
            reason=standing.reason,
            is_overdue=standing.is_overdue,
        )

    # How far it is

    def progress(self, scope: Scope, target: Target) -> Progress:
        """On this node."""
        now = self._control.clock()
        covered = {endpoint for endpoint in self.endpoints() if target.covers(endpoint)}
        in_flight, streams = self._flying(covered)
        share = self._drains.share(scope, target, now=now)
        known = all(self._is_known(endpoint) for endpoint in covered)
        return Progress(
            share=share,
            in_flight=in_flight,
            streams=streams,
            sessions=self._control.sessions.count(covered, now=now),
            settled=share <= 0 and known and in_flight == 0,
            overdue=self._drains.is_overdue(scope, target, now=now),
        )

    def everywhere(self, scope: Scope, target: Target) -> list[NodeProgress]:
        """On all nodes that are heard, this one first."""
        own = self._control.plan.node_id
        found = [NodeProgress(own, self.progress(scope, target))]
        if scope == "all":
            for row in self._control.state.soft(PROGRESS):
                said = _said(row, str(target))
                if row.key != own and said is not None:
                    found.append(NodeProgress(row.key, said))
        return found

    def _flying(self, endpoints: Iterable[str]) -> tuple[int, int]:
        covered = set(endpoints)
        counts = [
            count
            for session in self._control.publisher.sessions.values()
            if session.report is not None
            for count in session.report.endpoints
            if count.endpoint in covered
        ]
        return sum(count.in_flight for count in counts), sum(count.streams for count in counts)

    def _is_known(self, endpoint: str) -> bool:
        """Every data plane has said that it routes by a publication in which the endpoint gets nothing."""
        state = self._control.operator.get(endpoint)
        if state is None or (state.share > 0 and not state.disabled):
            return False
        needed = self._settling.get(endpoint)
        reports = [session.report for session in self._control.publisher.sessions.values()]
        if needed is None or not reports:
            return False
        return all(report is not None and (report.version or 0) >= needed for report in reports)

    def published(self, version: int, operator: Mapping[str, OperatorState]) -> None:
        """A publication went out."""
        if version != self._version + 1:
            self._settling = {}  # an earlier control process has used the numbers in between for something else
        self._version = version
        nothing = {name for name, state in operator.items() if state.disabled or state.share <= 0}
        self._settling = {name: self._settling.get(name, version) for name in nothing}

    # Time

    async def run(self) -> None:
        """Follow the rows and the clock, for ever."""
        async with asyncio.TaskGroup() as group:
            wake = asyncio.Event()
            for store in (self._control.state, self._control.local_state):
                group.create_task(_follow(store, wake), name="orders")
            while True:
                self.refresh()
                self.apply()
                self._say()
                await self._forget()
                now = self._control.clock()
                step = self._drains.next_step(now=now)
                wait_s = EVERY_S if step is None else min(EVERY_S, max(0.01, step - now))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await wake.wait()
                wake.clear()

    def _say(self) -> None:
        """To the other nodes: how far this one is."""
        targets = {target for scope, target in self._drains.orders() if scope == "all"}
        own = self._control.plan.node_id
        if not targets:
            if self._said:
                self._control.state.withdraw(PROGRESS, own)
            self._said = set()
            return
        said = {str(target): msgspec.to_builtins(self.progress("all", target)) for target in targets}
        self._said = set(said)
        self._control.state.announce(PROGRESS, own, said, ttl_s=PROGRESS_TTL_S)

    async def _forget(self) -> None:
        """Rows of undrains that are over; whoever comes first deletes them."""
        for scope, target, version in self._drains.over(now=self._control.clock(), for_s=FORGOTTEN_AFTER_S):
            store = self.store(scope)
            if store.frozen() is None:
                with contextlib.suppress(StateError):
                    await store.delete(DRAIN, str(target), expected=version)

    def _complain(self, sentences: list[str]) -> None:
        for sentence in sentences:
            if sentence not in self._troubled and len(self._troubled) < 1000:
                self._troubled.add(sentence)
                self._control.log.problem("an order is contained", reason=sentence)


async def _follow(store: StateStore, wake: asyncio.Event) -> None:
    since = store.revision
    while True:
        since = await store.changed(since)
        wake.set()


def _said(row: SoftRow, target: str) -> Progress | None:
    """What another node says of a target; None when it says nothing that is understood."""
    try:
        return msgspec.convert(row.value.get(target), Progress | None)
    except msgspec.ValidationError:
        return None


def _overridden(override: Override) -> str:
    return f"forced {override.state} by {override.author}" + (f": {override.reason}" if override.reason else "")
