"""Who is one of us."""

from __future__ import annotations

import pytest

from config.core.signing import Signer
from health.peering.identity import Identity, Peer, Stranger


def identity(*keys: bytes, node: str = "gw-1") -> Identity:
    return Identity(node=node, region="eu", regions=("eu", "us"), signer=Signer(keys))


def test_nodes_with_a_common_key_know_each_other_while_keys_are_rotated() -> None:
    assert identity(b"new", b"old").recognise(identity(b"old", node="gw-2").headers) == Peer("gw-2", "eu")
    with pytest.raises(Stranger, match="another cluster"):
        identity(b"new").recognise(identity(b"old").headers)


def test_a_node_goes_with_the_keys_without_a_restart() -> None:
    one, other = identity(b"old"), identity(b"new", b"old", node="gw-2")
    with pytest.raises(Stranger, match="another cluster"):
        one.recognise(other.headers)
    one.adopt(Signer([b"new", b"old"]))
    assert one.recognise(other.headers) == Peer("gw-2", "eu")
    assert other.recognise(one.headers) == Peer("gw-1", "eu")
    one.adopt(Signer([b"new"]))
    assert one.recognise(other.headers) == Peer("gw-2", "eu")
    with pytest.raises(Stranger, match="another cluster"):
        one.recognise(identity(b"old").headers)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Tidegate-Node": ""}, "not_a_peer"),
        ({"Tidegate-Node": "a\nb"}, "not_a_peer"),
        ({"Tidegate-Cluster": "zz"}, "different_cluster"),
        ({"Tidegate-Protocol": "soon"}, "protocol_mismatch"),
        ({"Tidegate-Protocol": "2-9"}, "protocol_mismatch"),
        ({"Tidegate-Region": "asia"}, "unknown_region"),
    ],
)
def test_what_differs_is_named(change: dict[str, str], reason: str) -> None:
    with pytest.raises(Stranger) as refused:
        identity(b"k").recognise(identity(b"k").headers | change)
    assert refused.value.reason == reason


def test_of_two_ranges_of_protocols_the_highest_common_one_is_spoken() -> None:
    assert identity(b"k").recognise(identity(b"k").headers | {"Tidegate-Protocol": "1-9"}).protocol == 1
