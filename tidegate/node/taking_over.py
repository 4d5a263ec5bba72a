"""When may a store that has just got the lease to write begin? Once it has what earlier primaries wrote.

    lease of an epoch ──> ask all others for what they have applied ──> wait until it is here ──> take writes

Answers are needed from so many regions that they meet every majority: what was acknowledged with `majority` is then
here (docs/decisions/0029).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from sync.core.levels import regions_to_ask
from sync.core.plans import CollectionPlan
from sync.core.primacy import Primacy
from sync.replication.barrier import Passed

LOOK_FOR_LEASE_S: Final = 0.1
CATCH_UP_S: Final = 3.0
"""For peers that do not answer when this store begins to take writes; those that do are waited for."""


class Barrier(Protocol):
    """The replicator's `pass_barrier`."""

    async def __call__(self, stream: str, *, timeout_s: float, needs_all: bool) -> Passed: ...


async def take_over(
    primacy: Primacy,
    plans: Mapping[str, CollectionPlan],
    *,
    region: str,
    barrier: Barrier | None,
    boot: Callable[[], float],
    say: Callable[..., None],
) -> None:
    """For as long as there is a collection with a primary. `barrier` is None where there is nobody to be asked."""
    led = [plan for plan in plans.values() if plan.primary is not None and plan.is_here]
    while led:
        for plan in led:
            epoch = primacy.held(plan.primary or "", boot=boot())
            if epoch is None or primacy.is_ready(plan.name, epoch):
                continue
            if barrier is not None and not await _has_caught_up(plan, region, barrier):
                continue
            primacy.ready(plan.name, epoch)
            say("writes are taken here now", collection=plan.name, epoch=epoch)
        await asyncio.sleep(LOOK_FOR_LEASE_S)


async def _has_caught_up(plan: CollectionPlan, region: str, barrier: Barrier) -> bool:
    passed = await barrier(plan.name, timeout_s=CATCH_UP_S, needs_all=False)
    heard = passed.regions | {region}
    return passed.is_caught_up and len(heard.intersection(plan.regions)) >= regions_to_ask(len(plan.regions))
