"""Does everything come together again once it has healed, and is forgotten what nobody needs? (C9, and before C12)"""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

from tests.harness.mesh_of_stores import MeshOfStores
from tests.simulation.checkers import idle_rows
from tests.simulation.storm import STORM_S

if TYPE_CHECKING:
    from tests.simulation.world import World

CUT_FOR_EVER = 0.3
"""Share of runs in which two regions never hear each other again."""
FORGOTTEN_WITHIN_S = 60.0
MAY_REPAIR = ("sector_lost", "restored", "replaced", "away")
"""Faults after which a comparison may find keys that are wrong; after all others a repair is a bug made visible."""
CONVERGED_WITHIN_S = 60.0
"""After the last fault has healed: back-off, a pull's time-out, and clocks that were up to five seconds ahead."""


async def settle(world: World) -> list[str]:
    """Everything heals, one cut perhaps excepted; then everything must come together within a bound (C9)."""
    mesh = world.mesh
    mesh.network.heal()
    is_cut_for_ever = random.Random(f"{world.seed} cut for ever").random() < CUT_FOR_EVER
    if is_cut_for_ever:
        regions = list(mesh.nodes)
        mesh.network.cut(regions[0], regions[-1])  # what both hold goes round by another region
    for node in mesh.nodes.values():
        node.offset_s = 0.0
        node.disk.is_full = False
        node.disk.sync_s = 0.0
    try:
        await mesh.until(
            lambda: all(mesh.has_converged(stream) for stream in ("notes", "profiles")) and not held(mesh),
            within_s=CONVERGED_WITHIN_S,
            what="convergence",
        )
    except AssertionError as error:
        return [f"progress: {error}"]
    history = world.history
    is_anybody_awaited = any(" replaced " in fault for fault in world.faults) and mesh.upkeep.evict_after_s > STORM_S
    history.may_forget = not is_cut_for_ever and not is_anybody_awaited
    if any(event.startswith("a snapshot is taken") for node in mesh.nodes.values() for _, event, _ in node.said):
        # Two misfortunes at once: a snapshot of a disk that has lost sectors since the last comparison lacks them too.
        history.excused |= world.lost_dots
    history.may_repair = any(name in fault for fault in world.faults for name in MAY_REPAIR) or any(
        event.startswith("a member is evicted") for node in mesh.nodes.values() for _, event, _ in node.said
    )
    if history.may_forget:
        with contextlib.suppress(AssertionError):  # a checker says what is left
            await mesh.until(lambda: not _idle(mesh), within_s=FORGOTTEN_WITHIN_S, what="forgetting", every_s=0.5)
    return []


def _idle(mesh: MeshOfStores) -> bool:
    keep = mesh.upkeep.keep_operations
    return any(idle_rows(stream, keep) for node in mesh.nodes.values() for stream in node.disk.streams.values())


def held(mesh: MeshOfStores) -> int:
    return sum(len(stream.held) for node in mesh.nodes.values() for stream in node.disk.streams.values())
