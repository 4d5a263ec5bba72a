"""What has a store received, which writes are recorded as losers, and which were replaced by one that had read them?"""

from __future__ import annotations

from collections.abc import Mapping

from sync.core.dots import Dot, VersionVector, covers
from sync.core.operation import Operation
from tests.harness.mesh_of_stores import MeshOfStores, Node


def received_by(node: Node, stream: str) -> VersionVector:
    return {origin: head.seq for origin, head in node.disk.streams[stream].heads.items()}


def losers(mesh: MeshOfStores) -> set[Dot]:
    """Recorded anywhere."""
    return {dot for node in mesh.nodes.values() for stream in node.disk.streams.values() for dot in stream.losses}


def is_replaced(archive: Mapping[Dot, Operation], key: str, dot: Dot, received: VersionVector) -> bool:
    """Whether a write that had read it is here too."""
    event = archive[dot]
    return any(
        (one.key == key and covers(one.vector(), *dot))
        # The same client operation, sent twice, is one event: whoever replaced it under one dot replaced it.
        or (one.client == event.client != "" and one.sequence == event.sequence and other != dot)
        for other, one in archive.items()
        if covers(received, *other)
    )
