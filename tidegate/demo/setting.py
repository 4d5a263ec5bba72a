"""The demo's configuration: one file that all three nodes read, and what tells each node who it is.

Written as a person would write it, comments included, because the demo shows it to people. Which ports are free is the
cluster's business (`cluster.py`); here they are given.

Four routes, one for each way of choosing a region, and one bound to a place:

    /feed/*      latency         wherever an answer comes back soonest
    /orders/*    failover        the primary region, or the next in its order
    /maps/*      geo_proximity   where the asking person is
    /profile/*   bound           personal data that only eu-west may hold

and /data/v1/*, the clients' own data: notes are replicated to all regions, profiles stay in eu-west.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.demo.distance import BY_REGION, PLACES, Place

SERVICE = "api"
PROFILE_HOME = "eu-west"
PROFILE_TYPE = "profile"

NOTES = "notes"
"""The collection that every region holds."""
PROFILES = "profiles"
"""The one that only `PROFILE_HOME` holds."""
TOKEN_NAME = "DEMO_TOKEN"  # noqa: S105  names of environment variables, not what is in them
SECRET_NAME = "DEMO_SECRET"  # noqa: S105

PROBE_INTERVAL_S = 0.5
PROBE_TIMEOUT_S = 0.49
"""The longest round trip of the demo (about 195 ms) and 300 ms for a busy machine, within the interval."""
PROBE_JITTER = 0.2
PROBE_THRESHOLD = 2
MARGIN_S = 0.1
"""What the gateway allows itself for carrying a verdict from the prober to the workers."""

HEALTH_BOUND_S = PROBE_THRESHOLD * PROBE_INTERVAL_S * (1 + PROBE_JITTER) + PROBE_TIMEOUT_S + MARGIN_S
"""A dead endpoint is left within this time; the product's own promise, with the demo's settings."""


@dataclass(frozen=True, slots=True)
class BackendPlan:
    """One backend: where it stands and where it listens."""

    name: str
    region: str
    address: str

    @property
    def endpoint(self) -> str:
        """Its id everywhere in Tidegate."""
        return f"{SERVICE}/{self.region}/{self.address}"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One Tidegate node: who it is and where it listens."""

    id: str
    region: str
    public: str
    admin: str
    data_dir: Path
    peer: str = ""
    """Where the other nodes find it; empty where it has none."""

    def environment(self) -> Mapping[str, str]:
        """What makes the common file this node's own."""
        return {
            "TIDEGATE_NODE__ID": self.id,
            "TIDEGATE_NODE__REGION": self.region,
            "TIDEGATE_NODE__DATA_DIR": str(self.data_dir),
            "TIDEGATE_LISTENERS__0__BIND": self.public,
            "TIDEGATE_ADMIN__BIND": self.admin,
            "TIDEGATE_PEER__BIND": self.peer,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Who stands where in this run of the demo."""

    backends: tuple[BackendPlan, ...]
    nodes: tuple[NodePlan, ...]

    def node(self, region: str) -> NodePlan:
        return next(node for node in self.nodes if node.region == region)

    def backend(self, name: str) -> BackendPlan:
        return next(backend for backend in self.backends if backend.name == name)

    def backends_in(self, region: str) -> tuple[BackendPlan, ...]:
        return tuple(backend for backend in self.backends if backend.region == region)


BACKENDS_PER_REGION = 2
PORTS_NEEDED = len(PLACES) * (BACKENDS_PER_REGION + 3)


def plan(ports: Sequence[int], *, directory: Path, host: str = "127.0.0.1") -> Plan:
    """Deal `PORTS_NEEDED` ports out to backends and nodes."""
    if len(ports) != PORTS_NEEDED:
        raise ValueError(f"found {len(ports)} ports, expected {PORTS_NEEDED}")
    addresses = iter([f"{host}:{port}" for port in ports])
    backends = tuple(
        BackendPlan(f"{place.region}-{number}", place.region, next(addresses))
        for place in PLACES
        for number in range(1, BACKENDS_PER_REGION + 1)
    )
    nodes = tuple(
        NodePlan(
            place.node_id,
            place.region,
            public=next(addresses),
            admin=next(addresses),
            peer=next(addresses),
            data_dir=directory / f"{place.node_id}.data",
        )
        for place in PLACES
    )
    return Plan(backends, nodes)


def configuration(planned: Plan, *, workers: int = 2) -> str:
    """The file's text."""
    first = planned.nodes[0]
    regions = "\n".join(_region(place, planned, priority) for priority, place in enumerate(PLACES, start=1))
    endpoints = "\n".join(
        f'      - {{region: {backend.region}, address: "{backend.address}"}}   # {backend.name}'
        for backend in planned.backends
    )
    return f"""\
# The demo's three regions. All nodes read this file; each is told who it is by its environment:
# TIDEGATE_NODE__ID, ..__REGION, ..__DATA_DIR, TIDEGATE_LISTENERS__0__BIND, TIDEGATE_ADMIN__BIND, TIDEGATE_PEER__BIND.
version: 1
node: {{id: {first.id}, region: {first.region}, data_dir: {first.data_dir}, workers: {workers}, shutdown_grace: 2s}}

listeners:
  - {{name: public, bind: "{first.public}"}}
admin:
  bind: "{first.admin}"
  tokens: [{{name: demo, role: operator, token: "env:{TOKEN_NAME}"}}]
peer: {{bind: "{first.peer}", secret: "env:{SECRET_NAME}"}}   # nodes hear each other, agree and replicate over this
secrets: {{signing_keys: ["env:{SECRET_NAME}"]}}

regions:
{regions}

services:
  - id: {SERVICE}
    endpoints:
{endpoints}
    load_balancing: {{algorithm: least_request}}
    health_check:      # quicker than one would choose for real, so that nobody has to wait for an act
      protocol: http
      path: /healthz
      interval: {_milliseconds(PROBE_INTERVAL_S)}
      timeout: {_milliseconds(PROBE_TIMEOUT_S)}
      jitter: {PROBE_JITTER:.0%}
      healthy_threshold: {PROBE_THRESHOLD}
      unhealthy_threshold: {PROBE_THRESHOLD}
    timeouts: {{connect: 500ms, response_head: 3s, idle: 30s}}
    # Until a dead region is found out, each request that would have gone there is tried again elsewhere: both its
    # backends, then the next region. The budget is as large as the traffic, for every client counts here.
    retries: {{max_retries: 3, budget: 100%, min_retries: 100/s}}

{_rules()}"""


def _rules() -> str:
    """Routes and residency: the same whoever listens where."""
    return f"""\
routes:
  - id: profile
    match: {{path: /profile/*}}
    service: {SERVICE}
    data_types: [{PROFILE_TYPE}]
    region_routing: {{strategy: failover}}
  - id: feed
    match: {{path: /feed/*}}
    service: {SERVICE}
    data_types: [public]
    region_routing: {{strategy: latency, prefer_local: false}}
  - id: orders
    match: {{path: /orders/*}}
    service: {SERVICE}
    data_types: [public]
    region_routing: {{strategy: failover, prefer_local: false}}
  - id: maps
    match: {{path: /maps/*}}
    service: {SERVICE}
    data_types: [public]
    region_routing: {{strategy: geo_proximity}}
  - id: data
    match: {{path: /data/v1/*}}
    service: builtin:data

sync:
  collections:
    - {{name: {NOTES}, data_type: public, conflict: vector_clock}}
    - {{name: {PROFILES}, data_type: {PROFILE_TYPE}, conflict: last_write_wins}}

residency:
  rules:
    - {{data_type: {PROFILE_TYPE}, allowed_regions: [{PROFILE_HOME}]}}
    - {{data_type: public, allowed_regions: "*"}}
  default: deny

observability:
  access_log: {{enabled: true, path: "-"}}"""


def _region(place: Place, planned: Plan, priority: int) -> str:
    location = (
        f"{{continent: {place.continent}, country: {place.country}, city: {place.city}, "
        f"latitude: {place.latitude}, longitude: {place.longitude}}}"
    )
    return (
        f"  - id: {place.region}\n"
        f"    name: {place.name}\n"
        f"    location: {location}\n"
        f"    priority: {priority}\n"
        f'    gateway: "http://{planned.node(place.region).public}"\n'
        f'    peers: ["http://{planned.node(place.region).peer}"]'
    )


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def failover_order() -> tuple[str, ...]:
    """The regions by their priority in the file."""
    return tuple(BY_REGION)
