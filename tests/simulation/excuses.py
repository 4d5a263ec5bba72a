"""Which writes may nobody be blamed for losing? Those that died with the only disk that held them."""

from __future__ import annotations

from typing import Protocol

from sync.core.dots import Dot
from tests.harness.memory_store import Disk
from tests.harness.mesh_of_stores import MeshOfStores, Node
from tests.simulation.history import History


class Excusing(Protocol):
    """What both kinds of worlds have."""

    history: History
    lost_sectors: set[tuple[str, str, str]]

    @property
    def mesh(self) -> MeshOfStores: ...


def excuse(world: Excusing, node: Node, backup: Disk) -> None:
    """Writes that nobody else has, and the backup has not, died with their only store."""
    destroyed = world.history.destroyed.setdefault(node.region, set())
    others = [each for each in world.mesh.nodes.values() if each is not node]
    for name, stream in node.disk.streams.items():
        mine = {
            (origin, seq)
            for (origin, seq) in world.mesh.archive.get(name, {})
            if origin in stream.heads and seq <= stream.heads[origin].seq
        }
        kept = {dot for dot in mine if has(backup, name, dot)}
        for dot in mine - kept:
            key = world.mesh.archive[name][dot].key
            holders = {each.region for each in others if has(each.disk, name, dot)}
            if all((region, name, key) in world.lost_sectors for region in holders):
                world.history.excused.add(dot)
        destroyed |= mine - kept
        world.history.burnt_records |= stream.losses.keys()


def has(disk: Disk, stream: str, dot: Dot) -> bool:
    """Received, if not forgotten since."""
    of = disk.streams.get(stream)
    return of is not None and dot[0] in of.heads and dot[1] <= of.heads[dot[0]].seq
