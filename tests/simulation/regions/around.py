"""What do all nodes of a run share, and what do those who judge want to know?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.harness.lives import Life
from tests.harness.mesh_of_stores import WALL_AT_START, MeshOfStores
from tests.simulation.regions.backends import Backends
from tests.simulation.regions.configured import Shape
from tests.simulation.regions.data import Acknowledged
from tests.simulation.regions.gateway import Attempted
from tests.simulation.regions.wire import Wire


@dataclass
class Clock:
    """A machine's. Its monotonic clock runs at a rate of its own, its wall clock may be set."""

    rate: float = 1.0
    base_s: float = 0.0
    offset_s: float = 0.0

    def boot(self) -> float:
        return self.base_s + self.rate * asyncio.get_running_loop().time()

    def wall(self) -> float:
        return WALL_AT_START + self.offset_s + self.rate * asyncio.get_running_loop().time()


@dataclass
class Around:
    """What all nodes of a run share, and what those who judge want to know."""

    seed: int
    mesh: MeshOfStores
    wire: Wire
    lives: dict[str, Life]
    backends: Backends
    shape: Shape
    attempted: list[Attempted] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    on_taking: Callable[[str, str, int], None] = lambda region, stream, epoch: None
    said: list[tuple[float, str, str, str, dict[str, Any]]] = field(default_factory=list)
    """(time, region, level, event, fields): the logs."""
    fresh: int = 0

    def name(self) -> str:
        """Never twice the same."""
        self.fresh += 1
        return f"{self.fresh:08x}"
