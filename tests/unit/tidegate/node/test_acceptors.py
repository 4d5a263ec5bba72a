"""Which acceptors a configuration means."""

from __future__ import annotations

from typing import Any

import pytest

from config.models import Config
from health.core.rows import Unavailable
from health.quorum.acceptors import PeerAcceptor, StoredAcceptor
from tests.harness.configuration import load
from tidegate.node.acceptors import lease_acceptors, state_acceptors
from tidegate.node.logs import silent
from tidegate.node.peers import Peers

ENVIRON = {"KEY": "key", "SECRET": "secret"}


def configuration(**more: Any) -> Config:
    def edit(document: dict[str, Any]) -> None:
        document["peer"] = {"bind": "127.0.0.1:9443", "secret": "env:SECRET"}
        document["secrets"] = {"signing_keys": ["env:KEY"]}
        document["regions"] = [
            {"id": name, "peers": [f"http://{name}-1:9443", f"http://{name}-2:9443"]} for name in ("eu", "us", "asia")
        ]
        document.update(more)

    return load(edit=edit, environ=ENVIRON).config


async def test_auto_is_the_first_peer_of_each_region() -> None:
    config = configuration()
    assert config.peer is not None
    peers = Peers(config.peer, config, environ=ENVIRON, log=silent())
    found = state_acceptors(config, peers, environ=ENVIRON)
    assert list(found) == ["http://eu-1:9443", "http://us-1:9443", "http://asia-1:9443"]
    assert all(isinstance(one, PeerAcceptor) for one in found.values())
    assert lease_acceptors(config, peers, environ=ENVIRON) is None


async def test_redis_servers_are_named_by_where_they_are() -> None:
    urls = [f"redis://10.0.0.{number}:6379/0" for number in (1, 2, 3)]
    config = configuration(stores={"state": {"kind": "redis", "urls": urls}})
    found = state_acceptors(config, None, environ=ENVIRON)
    assert list(found) == urls
    for one in found.values():
        await one.close()


NAMED = ["redis://10.0.0.9:6379/0", "http://us-1:9443", "http://witness:9443"]
MIXED = {
    "stores": {"state": {"kind": "redis", "urls": ["redis://10.0.0.1:6379/0"]}},
    "election": {"acceptors": [{"url": url} for url in NAMED]},
}


async def test_a_lease_is_borne_by_all_that_are_named_whatever_their_kinds() -> None:
    config = configuration(**MIXED)
    assert config.peer is not None
    peers = Peers(config.peer, config, environ=ENVIRON, log=silent())
    found = lease_acceptors(config, peers, environ=ENVIRON)
    assert found is not None
    assert list(found) == NAMED
    assert [type(one) for one in found.values()] == [StoredAcceptor, PeerAcceptor, PeerAcceptor]
    assert list(state_acceptors(config, peers, environ=ENVIRON)) == ["redis://10.0.0.1:6379/0"]
    for one in found.values():
        await one.close()
    await peers.close()


async def test_an_acceptor_that_cannot_be_asked_is_not_passed_over() -> None:
    with pytest.raises(Unavailable, match=r"http://us-1:9443: found a node as an acceptor, expected `peer`"):
        lease_acceptors(configuration(**MIXED), None, environ=ENVIRON)


async def test_nodes_that_are_named_bear_an_embedded_state_and_its_lease_together() -> None:
    config = configuration(election={"acceptors": [{"url": url} for url in NAMED[1:]]})
    assert config.peer is not None
    peers = Peers(config.peer, config, environ=ENVIRON, log=silent())
    assert list(state_acceptors(config, peers, environ=ENVIRON)) == NAMED[1:]
    assert lease_acceptors(config, peers, environ=ENVIRON) is None
    await peers.close()


async def test_a_node_without_peers_has_none() -> None:
    assert state_acceptors(load().config, None, environ={}) == {}
