"""When does which fault happen to whom? One after the other, in one lane or two: then they overlap.

Each fault has chance of its own, so that leaving one out changes no other.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from tests.simulation.regions.configured import REGIONS

if TYPE_CHECKING:
    from tests.simulation.regions.world import World

LANES = (1, 1, 2)
"""How many, by chance."""


async def storm(world: World) -> None:
    from tests.simulation.regions.world import STORM_S  # noqa: PLC0415 - see there

    lanes = random.Random(f"{world.seed} lanes").choice(LANES)
    until = asyncio.get_running_loop().time() + STORM_S
    await asyncio.gather(*(_lane(world, number, until) for number in range(1, lanes + 1)))


async def _lane(world: World, lane: int, until: float) -> None:
    loop = asyncio.get_running_loop()
    count = 0
    while loop.time() < until:
        count += 1
        number = f"{lane}.{count}"
        rng = random.Random(f"{world.seed} fault {number}")
        await asyncio.sleep(rng.uniform(0.2, 3.0))
        fault = rng.choice(world.repertoire)
        region = rng.choice(REGIONS)
        if number not in world.left_out:
            world.faults.append(f"{number} {fault.__name__} {region} at {loop.time():.3f}")
            await fault(world, region, rng)
