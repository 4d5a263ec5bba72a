"""How far is the data, for data planes with routes that ask for consistency? Followed only where there is such a route.

    sync process ──GET /progress, answered when something moves──> Replicated ──> all data planes
    other nodes  ──what they lack (sync_watch.py), each second────────┘

A data plane that waits for a region to catch up hears of it within some hundredths of a second: a write's confirmation
comes with the peer's next question, and that comes at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from gateway.core.replicas import Replicas
from gateway.messages import Replicated
from tidegate.node import sync_status
from tidegate.node.core.replicated import Progress, applied_by_region, lags_by_region
from tidegate.node.data_side import DataSilent

if TYPE_CHECKING:
    from tidegate.node.control import Control

TIMEOUT_S: Final = 3.0
"""Above the time that an answer waits for news."""
PAUSE_S: Final = 0.02
"""Between two answers: a store that is written a thousand times a second is reported fifty times."""
AGAIN_S: Final = 0.25
LAGS_EVERY_S: Final = 0.5
IDLE_S: Final = 1.0


class Freshness:
    """One control process's."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._progress: Progress | None = None
        self._lags: dict[str, dict[str, float | None]] = {}
        self._lags_at: float | None = None
        self.replicas = Replicas()
        """For explanations: what the data planes were told."""

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._once()

    async def _once(self) -> None:
        if not self._is_asked():
            self._progress, self._lags_at = None, None
            self._control.publisher.replicated(None)
            await asyncio.sleep(IDLE_S)
            return
        after = "" if self._progress is None else f"?after={self._progress.count}"
        try:
            content = await self._control.data.get(sync_status.PROGRESS + after, timeout_s=TIMEOUT_S)
            self._progress = msgspec.json.decode(content, type=Progress)
        except (DataSilent, ValueError):
            # What was said last still holds: vectors only grow. Why there is no answer is said by sync_watch.py.
            await asyncio.sleep(AGAIN_S)
        self._tell()
        await asyncio.sleep(PAUSE_S)

    def _is_asked(self) -> bool:
        config = self._control.configuration.loaded.config
        return config.sync is not None and any(route.consistency.kind != "none" for route in config.routes)

    def _tell(self) -> None:
        """All data planes."""
        control, now = self._control, self._control.clock()
        region = control.configuration.loaded.config.node.region or ""
        plans = control.replicas.plans()
        if self._lags_at is None or now - self._lags_at >= LAGS_EVERY_S:
            self._lags_at = now
            down = [name for name, ballot in control.failing_over.ballots().items() if ballot.is_down]
            self._lags = lags_by_region(
                control.replicas.heard(),
                plans,
                own_node=control.plan.node_id,
                own_region=region,
                down_for_s={name: control.replicas.silent_s(name) for name in down},
            )
        passed_s = now - self._lags_at
        lags = {
            name: {stream: None if lag is None else lag + passed_s for stream, lag in of_region.items()}
            for name, of_region in self._lags.items()
        }
        progress = self._progress
        applied = {} if progress is None else applied_by_region(progress, plans, own_region=region)
        self.replicas.hear(applied, lags, now=now)
        control.publisher.replicated(Replicated(applied, lags))
