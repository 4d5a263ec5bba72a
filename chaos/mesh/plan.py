"""Where everything of the three regions is: addresses, links, and what is asked of each node alone.

Each region is a network of its own (`network.py`) and sees the others under the same *names*, 10.78.j.1 for region j.
These addresses are everybody's own: what listens there is the region's own Toxiproxy, which carries each connection to
where the service truly is, 10.77.j.1. So every pair of regions, in each direction, is a link of its own, and yet all
nodes read one file: a mesh whose nodes call the same acceptor by different names would not agree on anything.

    node of region 1  -->  10.78.2.1:9443  -->  [Toxiproxy of region 1]  -->  10.77.2.1:9443  node of region 2
    clients           -->  10.79.2.1:8080  -->  [Toxiproxy of clients]   -->  10.77.2.1:8080  gateway of region 2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

StateKind = Literal["embedded", "redis", "postgres"]
"""Where agreed state is kept: `stores.state`."""
DataKind = Literal["embedded", "postgres"]
"""Where the clients' data is kept: `stores.data`."""
LinkKind = Literal["clients", "backends", "peers", "redis", "postgres"]

REGIONS = ("eu-west", "eu-central", "us-east")
HOME = ("eu-west", "eu-central")
"""Where personal data may be."""
FORBIDDEN = "us-east"
SWITCH = "10.77.255.254"
"""Where the clients stand, and the one PostgreSQL that holds agreed state."""

PUBLIC, ADMIN, PEER, REDIS, POSTGRES, BACKENDS = 8080, 9900, 9443, 6379, 5432, (8001, 8002)

PROBE_INTERVAL_S, PROBE_TIMEOUT_S, PROBE_JITTER, PROBE_THRESHOLD = 1.0, 0.9, 0.2, 2
HEALTH_BOUND_S = PROBE_THRESHOLD * PROBE_INTERVAL_S * (1 + PROBE_JITTER) + PROBE_TIMEOUT_S + 0.1
"""The longest that the death of an endpoint may go unnoticed; the last tenth is the way to the workers."""
CONNECT_S, RESPONSE_HEAD_S = 1.0, 2.0
"""After which a try is in vain."""
LIMIT_RATE, LIMIT_BURST = 10, 10
"""Of the limited route, on each node."""
SHARED_RATE, SHARED_BURST = 10, 10
"""Of the route whose limit all nodes count together, on the Redis of `COUNTED_IN`."""
COUNTED_IN = "eu-west"
KEPT_OPERATIONS = 100_000
"""Of a collection, that a store keeps for its readers."""
SHARED_SLACK = max(SHARED_BURST // 4, 4 * len(REGIONS))
"""What all nodes together may admit beyond it, with a worker each (docs/rate-limits.md)."""
SHARED_SLACK_RESTARTED = SHARED_SLACK + 20
"""The same where a worker is started again: what it had borrowed and not yet charged, four at least, died with it."""
SHARED_SLACK_CUT_OFF = SHARED_SLACK + 60
"""The same where two of three nodes cannot reach the Redis for a quarter of a minute: each admits its third, beside the
6 a second that the clients of the region with the Redis ask for (docs/decisions/0058)."""
SERVICES = ("api", "kept")
"""Both are the same backends; `kept` has sticky sessions."""
LEASE_S, RENEW_S = 4.0, 1.0
ADMIN_TOKEN = "chaos-operator"  # noqa: S105 - of a mesh that lives for minutes, in a network without a way out
ENVIRONMENT = {
    "CHAOS_ADMIN": ADMIN_TOKEN,
    "CHAOS_SIGNING_KEY": "chaos-signing-key-of-one-short-life",
    "CHAOS_DATA_KEY": "chaos-data-key-of-one-short-life",
}
COLLECTIONS: Mapping[str, tuple[str, ...]] = {"notes": REGIONS, "settings": REGIONS, "profiles": HOME}
"""Each with the regions that may hold it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a column of the table is given. Columns with equal settings may run on one mesh, one after the other."""

    state: StateKind = "redis"
    data: DataKind = "embedded"
    small_disk: str | None = None
    """A region whose data directory is a file system of `SMALL_DISK_MIB`."""
    compares_often: bool = False
    """Whether stores compare themselves every few seconds, as what is forgotten waits for."""
    false_clock: str | None = None
    """A region whose node runs under libfaketime, telling the true time until it is told otherwise."""

    @property
    def counts_together(self) -> bool:
        """Whether there is a Redis for limits that all nodes count together."""
        return self.state == "redis"


SMALL_DISK_MIB = 24


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """One link: who uses it, what for, and what is at its end."""

    kind: LinkKind
    source: str
    """A region, or `clients`."""
    target: str
    """A region; `postgres` for the one database of agreed state."""
    listen: str
    upstream: str

    @property
    def name(self) -> str:
        return f"{self.kind}.{self.source}.{self.target}.{self.listen.rpartition(':')[2]}"

    @property
    def is_between_regions(self) -> bool:
        return self.source != self.target and self.kind != "clients"


def number(region: str) -> int:
    return REGIONS.index(region) + 1


def address(region: str) -> str:
    """Where a region truly is."""
    return f"10.77.{number(region)}.1"


def name_of(region: str) -> str:
    """How every region calls it."""
    return f"10.78.{number(region)}.1"


def client_side(region: str) -> str:
    """How clients call it."""
    return f"10.79.{number(region)}.1"


POSTGRES_NAME = "10.78.0.1"
NAMES = (POSTGRES_NAME, *(name_of(region) for region in REGIONS))
CLIENT_SIDES = tuple(client_side(region) for region in REGIONS)


def backend_name(region: str, port: int) -> str:
    return f"{region}-{'ab'[BACKENDS.index(port)]}"


def endpoint(region: str, port: int, *, service: str = "api") -> str:
    """Its id everywhere in Tidegate."""
    return f"{service}/{region}/{name_of(region)}:{port}"


def backend_of(endpoint_id: str) -> str:
    """The name of the backend that an endpoint is, whichever service's it is."""
    _, region, where = endpoint_id.split("/")
    return backend_name(region, int(where.rpartition(":")[2]))


def links(setting: Setting) -> Iterator[LinkPlan]:
    """All links, by who uses them."""
    for region in REGIONS:
        yield LinkPlan("clients", "clients", region, f"{client_side(region)}:{PUBLIC}", f"{address(region)}:{PUBLIC}")
    for source in REGIONS:
        for target in REGIONS:
            here, there = name_of(target), address(target)
            yield LinkPlan("peers", source, target, f"{here}:{PEER}", f"{there}:{PEER}")
            for port in BACKENDS:
                yield LinkPlan("backends", source, target, f"{here}:{port}", f"{there}:{port}")
            if setting.state == "redis":
                yield LinkPlan("redis", source, target, f"{here}:{REDIS}", f"{there}:{REDIS}")
        if setting.data == "postgres":  # a region's own, which no other region uses
            here, there = name_of(source), address(source)
            yield LinkPlan("postgres", source, source, f"{here}:{POSTGRES}", f"{there}:{POSTGRES}")
        if setting.state == "postgres":
            listen = f"{POSTGRES_NAME}:{POSTGRES}"
            yield LinkPlan("postgres", source, "postgres", listen, f"{SWITCH}:{POSTGRES}")


def dsn(host: str) -> str:
    """Of the PostgreSQL there."""
    return f"postgresql://tidegate@{host}:{POSTGRES}/postgres"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One region's node, and what makes the common file its own."""

    region: str
    data_dir: Path
    certificate: Path
    private_key: Path

    @property
    def id(self) -> str:
        return f"gw-{self.region}"

    @property
    def admin(self) -> str:
        """URL of its admin API, reached past all links: an observer is not to be cut off by what it observes."""
        return f"http://{address(self.region)}:{ADMIN}"

    def environment(self) -> Mapping[str, str]:
        return {
            **ENVIRONMENT,
            "CHAOS_STATE": dsn(POSTGRES_NAME),
            "CHAOS_DATA": dsn(name_of(self.region)),
            "CHAOS_LIMITS": f"redis://{name_of(self.region)}:{REDIS}/1",
            "TIDEGATE_NODE__ID": self.id,
            "TIDEGATE_NODE__REGION": self.region,
            "TIDEGATE_NODE__DATA_DIR": str(self.data_dir),
            # Not on all addresses: on the names of the regions its own region's links listen.
            "TIDEGATE_LISTENERS__0__BIND": f"{address(self.region)}:{PUBLIC}",
            "TIDEGATE_ADMIN__BIND": f"{address(self.region)}:{ADMIN}",
            "TIDEGATE_PEER__BIND": f"{address(self.region)}:{PEER}",
            "TIDEGATE_PEER__TLS__CERTIFICATE": str(self.certificate),
            "TIDEGATE_PEER__TLS__PRIVATE_KEY": str(self.private_key),
        }
