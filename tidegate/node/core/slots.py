"""Who accepts from which listening socket?

    slot 0   slot 1   slot 2          one SO_REUSEPORT socket a slot and listener, held by the supervisor
      |        |        |
    worker 0   X      worker 2        worker 1 died: a sibling accepts from its slot until its replacement serves

The kernel spreads new connections over all sockets of a listener whether or not anyone accepts from them, so a slot
without a server is a queue in which clients wait. Closing such a socket instead would reset everyone in that queue.
There may be more slots than workers (a node that was taken over had more): a slot's home is `slot % workers`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple


class Reassignment(NamedTuple):
    """Told to one worker: start or stop accepting from one slot."""

    worker: int
    slot: int
    accept: bool


def servers(slots: int, workers: int, serving: Collection[int]) -> dict[int, int]:
    """The worker for every slot, by slot; a slot is left out while no worker serves at all."""
    able = sorted(serving)
    if not able:
        return {}
    # A slot whose home is away goes to the sibling its number picks, so that several empty slots spread out.
    return {slot: home if (home := slot % workers) in serving else able[slot % len(able)] for slot in range(slots)}


def reassignments(before: Mapping[int, int], after: Mapping[int, int]) -> list[Reassignment]:
    """What to tell whom to get from `before` to `after`; accept first, release after, so no slot waits meanwhile."""
    moved = [slot for slot in sorted(before.keys() | after.keys()) if before.get(slot) != after.get(slot)]
    accept = [Reassignment(after[slot], slot, accept=True) for slot in moved if slot in after]
    release = [Reassignment(before[slot], slot, accept=False) for slot in moved if slot in before]
    return accept + release
