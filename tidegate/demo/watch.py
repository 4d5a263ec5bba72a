"""What do the nodes say of themselves? Asked again and again over their admin API, and every change written down.

    GET /v1/status of each node, several times a second  ->  NodeView, the latest of each
                                        what changed      ->  Event, for people to read

A node that does not answer keeps its last view, marked unreachable: that is what a person at a dashboard would know.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from tidegate.demo.setting import Plan

ASK_EVERY_S = 0.15
ASK_TIMEOUT = aiohttp.ClientTimeout(total=1.0)
EVENTS_KEPT = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """A node's word on an endpoint or a region."""

    health: str
    reason: str = ""
    since: float | None = None
    """Wall clock, seconds; None where the node does not say."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node as it describes itself."""

    id: str
    is_reachable: bool = False
    version: int | None = None
    endpoints: Mapping[str, Verdict] = field(default_factory=dict)
    regions: Mapping[str, Verdict] = field(default_factory=dict)
    rtts: Mapping[str, float] = field(default_factory=dict)
    """Round trips to the regions, in seconds."""
    processes: Mapping[str, int] = field(default_factory=dict)
    """Ids of the processes that are ready, by what they are: `control`, `sync`, `worker 0`, `worker 1`."""

    def health(self, endpoint: str) -> str:
        verdict = self.endpoints.get(endpoint)
        return verdict.health if verdict is not None else "untested"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed in a node's view."""

    at: float
    """Monotonic seconds."""
    node: str
    text: str
    is_bad: bool


class Watch:
    """The latest view of every node of a plan, by region."""

    def __init__(self, planned: Plan, *, token: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = planned
        self._clock = clock
        self._headers = {"Authorization": f"Bearer {token}"}
        self._names = {backend.endpoint: backend.name for backend in planned.backends}
        self.views: dict[str, NodeView] = {node.region: NodeView(node.id) for node in planned.nodes}
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)

    async def run(self) -> None:
        """Ask until cancelled."""
        async with (
            aiohttp.ClientSession(timeout=ASK_TIMEOUT, headers=self._headers) as session,
            asyncio.TaskGroup() as group,
        ):
            for node in self._plan.nodes:
                url = f"http://{node.admin}/v1/status"
                group.create_task(self._ask(session, node.region, url), name=f"watch {node.id}")

    async def _ask(self, session: aiohttp.ClientSession, region: str, url: str) -> None:
        while True:
            before = self.views[region]
            try:
                async with session.get(url) as response:
                    response.raise_for_status()
                    view = node_view(before.id, await response.json())
            except (aiohttp.ClientError, TimeoutError):
                view = replace(before, is_reachable=False)
            self.views[region] = view
            for text, is_bad in changes(before, view, self._names):
                self.events.append(Event(self._clock(), view.id, text, is_bad))
            await asyncio.sleep(ASK_EVERY_S)

    def all_say(self, endpoint: str, health: str) -> bool:
        """Whether every node has this verdict on an endpoint."""
        return all(view.is_reachable and view.health(endpoint) == health for view in self.views.values())

    def noticed_after(self, endpoint: str, wall: float) -> Mapping[str, float | None]:
        """How long after that wall time each node (by id) came to its present verdict on an endpoint."""
        delays: dict[str, float | None] = {}
        for view in self.views.values():
            verdict = view.endpoints.get(endpoint)
            since = verdict.since if verdict is not None else None
            delays[view.id] = since - wall if since is not None and since >= wall else None
        return delays


def changes(before: NodeView, after: NodeView, names: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """What is different, in words, and whether it is bad news. First acquaintance is no news."""
    if before.is_reachable != after.is_reachable and before.version is not None:
        yield ("admin API answers again", False) if after.is_reachable else ("admin API is silent", True)
    for endpoint, verdict in after.endpoints.items():
        old = before.endpoints.get(endpoint)
        if old is not None and old.health not in (verdict.health, "untested"):
            yield f"{names.get(endpoint, endpoint)} {verdict.health}: {verdict.reason}", verdict.health != "up"
    for region, verdict in after.regions.items():
        old = before.regions.get(region)
        if old is not None and old.health not in (verdict.health, "untested"):
            yield f"region {region} {verdict.health}", verdict.health != "up"
    if before.processes:
        for process in before.processes.keys() - after.processes.keys():
            yield f"{process} is gone", True
        for process, pid in after.processes.items():
            if before.processes.get(process) != pid:
                yield f"{process} replaced by {pid}", False


def node_view(node_id: str, status: Mapping[str, Any]) -> NodeView:
    """Read the answer of GET /v1/status."""
    processes = {}
    for child in status["processes"]["children"]:
        if child["pid"] is not None and child["ready"]:
            processes[f"worker {child['slot']}" if child["role"] == "worker" else child["role"]] = child["pid"]
    return NodeView(
        id=node_id,
        is_reachable=True,
        version=status["version"],
        endpoints={one["endpoint"]: _verdict(one) for one in status["endpoints"]},
        regions={one["region"]: _verdict(one) for one in status["regions"]},
        rtts=status["region_rtts"],
        processes=processes,
    )


def _verdict(told: Mapping[str, Any]) -> Verdict:
    return Verdict(told["health"], told["reason"], told["since"])
