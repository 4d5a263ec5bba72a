"""Which acceptors does the configuration mean, for the state and for the lease?

    stores.state: postgres              one, whose transactions are the majority
    stores.state: redis                 its servers
    stores.state: embedded, with peers  one node a region, the first of its `peers`
    election.acceptors: [...]           for the lease these, Redis servers and nodes as they come; for an embedded state
                                        too, when all of them are nodes

An acceptor is named by where it is, without what is secret about it: the name is kept in the set that all agree on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from config.models import Acceptor as AcceptorOptions
from config.models import Config, PostgresStore, RedisState, SecretReference
from config.secrets import resolve
from health.core.rows import Unavailable
from health.quorum.acceptors import Acceptor, PeerAcceptor, StoredAcceptor
from tidegate.node.peers import Peers

CLUSTER = "tidegate"
"""Meshes that share a server use databases of their own: its number in the URL, its name in the DSN."""


def state_acceptors(config: Config, peers: Peers | None, *, environ: Mapping[str, str]) -> dict[str, Acceptor]:
    """Empty for a node that shares its state with nobody. Raises `SecretUnavailable`."""
    store = config.stores.state
    if isinstance(store, PostgresStore):
        from health.quorum.postgres import PostgresCells  # noqa: PLC0415 - an extra, needed here only

        return {
            "postgres": StoredAcceptor(PostgresCells(resolve(store.dsn, environ=environ).decode(), cluster=CLUSTER))
        }
    if isinstance(store, RedisState):
        return _redis(redis_urls(store, environ=environ))
    named = _named(config)
    if peers is not None and named and all(map(_is_node, named)):
        return {url: PeerAcceptor(peers.client, url) for url in named}
    if peers is None or not peers.urls:
        return {}
    return {urls[0]: PeerAcceptor(peers.client, urls[0]) for urls in peers.by_region.values()}


def lease_acceptors(config: Config, peers: Peers | None, *, environ: Mapping[str, str]) -> dict[str, Acceptor] | None:
    """All that are named, of whatever kind; None: those of the state. Raises `Unavailable` for nodes without `peer`."""
    named = _named(config)
    if not named or (config.stores.state.kind == "embedded" and all(map(_is_node, named))):
        return None
    found: dict[str, Acceptor] = {}
    for url in named:
        if not _is_node(url):
            found |= _redis([url])
        elif peers is not None:
            found[url] = PeerAcceptor(peers.client, url)
        else:
            raise Unavailable(f"{url}: found a node as an acceptor, expected `peer`, by which it is asked")
    return found


def _is_node(url: str) -> bool:
    return urlsplit(url).scheme in {"http", "https"}


def _redis(urls: Iterable[str]) -> dict[str, Acceptor]:
    from health.quorum.redis import RedisCells  # noqa: PLC0415 - an extra, needed here only

    return {place_of(url): StoredAcceptor(RedisCells(url, cluster=CLUSTER)) for url in urls}


def redis_urls(store: RedisState, *, environ: Mapping[str, str]) -> list[str]:
    """With what is secret about them. Raises `SecretUnavailable`."""
    return [resolve(url, environ=environ).decode() if isinstance(url, SecretReference) else url for url in store.urls]


def place_of(url: str) -> str:
    """A Redis server without what is secret about it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}{parts.path.rstrip('/')}"


def _named(config: Config) -> list[str]:
    election = config.election
    if election is None or election.acceptors == "auto":
        return []
    return [one.url for one in election.acceptors if isinstance(one, AcceptorOptions)]
