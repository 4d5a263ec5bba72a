"""What will the next start of this node find? The last good configuration, the verdicts, whom names stood for.

A disk that cannot take it is said, and serving goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from health.core.verdict import to_saved
from tidegate.node.disk import Disk, LastGood, SavedVerdicts

if TYPE_CHECKING:
    from tidegate.node.control import Control

SAVE_EVERY_S = 1.0
"""Verdicts go to the disk this often, changed or not: a restart resumes only what was known to be true of late."""


class Saving:
    """What of one control goes to its disk, and when."""

    def __init__(self, control: Control, disk: Disk) -> None:
        self._control = control
        self._disk = disk
        self._unsaved = asyncio.Event()

    def changed(self) -> None:
        """There is something new to save."""
        self._unsaved.set()

    async def run(self) -> None:
        """At a change soon, and else on a beat: a verdict last saved long ago is not resumed, however calm it was."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_EVERY_S):
                    await self._unsaved.wait()
            self._unsaved.clear()
            await asyncio.to_thread(self._save, self._known())
            await asyncio.sleep(SAVE_EVERY_S)

    async def configuration(self) -> None:
        """What came from the disk is there already."""
        control = self._control
        loaded = control.configuration.loaded
        if control.configuration.degraded is not None:
            return
        record = LastGood(control.plan.config_file, loaded.text, loaded.digest, control.wall())
        try:
            await asyncio.to_thread(self._disk.save_last_good, record)
        except OSError as error:
            control.log.problem("cannot keep the configuration for a later start", error=str(error))

    def verdicts(self) -> None:
        """Now, and on this thread."""
        self._save(self._known())

    def _known(self) -> SavedVerdicts:
        control = self._control
        return SavedVerdicts(
            version=control.publisher.version,
            config_digest=control.configuration.loaded.digest,
            endpoints=to_saved(control.prober.endpoints()),
            region_rtts=dict(control.prober.region_rtts()),
            resolved=control.resolved(),
            operator=dict(control.operator),
        )

    def _save(self, record: SavedVerdicts) -> None:
        try:
            self._disk.save_verdicts(record)
        except OSError as error:
            self._control.log.problem("cannot keep verdicts for a later start", error=str(error))
