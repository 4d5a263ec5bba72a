"""Is whoever speaks a node of this mesh, and in words that both understand?

Each request and each answer carries `Tidegate-Node`, `-Region`, `-Cluster` and `-Protocol`. The cluster's proof is
made of the signing keys that all nodes of a mesh share, so two meshes that find each other by a wrong address part
again at once; while a key is rotated, the old and the new one are both known. What a node *claims* here is believed
only together with its certificate or signature (server.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import msgspec

from config.core.signing import Signer

PROTOCOL = (1, 1)
"""Lowest and highest version that this node speaks."""
_CLUSTER = "peer cluster"
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,253}")
_PROTOCOL = re.compile(r"([0-9]{1,4})-([0-9]{1,4})")


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end."""

    node: str
    region: str
    protocol: int = PROTOCOL[1]
    """The highest that both speak."""


class Stranger(Exception):
    """Not one of us. `reason` is a slug, `status` what a server answers."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


class Identity:
    """This node, as it introduces itself."""

    def __init__(self, *, node: str, region: str, regions: Collection[str], signer: Signer) -> None:
        self.node = node
        self.region = region
        self._regions = frozenset(regions)
        self.headers = {
            "Tidegate-Node": node,
            "Tidegate-Region": region,
            "Tidegate-Protocol": f"{PROTOCOL[0]}-{PROTOCOL[1]}",
        }
        self.adopt(signer)

    def adopt(self, signer: Signer) -> None:
        """From now on it proves by the first of these keys that it belongs to the mesh, and believes any of them."""
        self._signer = signer
        self.headers["Tidegate-Cluster"] = signer.sign(_CLUSTER, b"").hex()

    def recognise(self, headers: Mapping[str, str]) -> Peer:
        """Raises `Stranger`. A missing header says that the other end is no node of Tidegate at all."""
        node, region = headers.get("Tidegate-Node", ""), headers.get("Tidegate-Region", "")
        if not _NAME.fullmatch(node) or not _NAME.fullmatch(region):
            raise Stranger(
                400, "not_a_peer", "found no Tidegate-Node and Tidegate-Region, expected a node of this mesh"
            )
        try:
            proof = bytes.fromhex(headers.get("Tidegate-Cluster", ""))
        except ValueError:
            proof = b""
        if not self._signer.verify(_CLUSTER, b"", proof):
            raise Stranger(
                403, "different_cluster", f"found {node} of another cluster, expected one with the same signing keys"
            )
        spoken = _PROTOCOL.fullmatch(headers.get("Tidegate-Protocol", ""))
        low, high = (int(spoken[1]), int(spoken[2])) if spoken else (0, 0)
        both = min(high, PROTOCOL[1])
        if both < max(low, PROTOCOL[0]):
            raise Stranger(
                400,
                "protocol_mismatch",
                f"found {node} speaking peer protocol {low} to {high}, expected one of {PROTOCOL[0]} to {PROTOCOL[1]}",
            )
        if region not in self._regions:
            raise Stranger(403, "unknown_region", f"found {node} of the region {region}, expected one of `regions`")
        return Peer(node, region, both)
