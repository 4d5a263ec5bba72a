"""Keeps the TLS material of the configuration in force, and makes it anew when a file changes.

    publication ──> load ──────────────┐
    once a second: look ──> changed ──> load ──> on_change

Looking and loading on change happen on a thread: a disk that hangs must not hold up traffic.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from config.file_changes import LOOK_EVERY_S, Settling, look
from config.models import Config
from gateway.errors import TlsMaterialRefused
from gateway.tls.material import NOTHING, Material, load

_log = logging.getLogger("gateway.tls")


class Keeper:
    """`on_change` is called, on the loop, after `material` was made anew."""

    def __init__(self, on_change: Callable[[], None], *, look_every_s: float = LOOK_EVERY_S) -> None:
        self.material: Material = NOTHING
        self._on_change = on_change
        self._look_every_s = look_every_s
        self._config: Config | None = None
        self._settling = Settling()

    def load(self, config: Config) -> Material:
        """What `config` asks for; nothing is changed before `adopt`. Raises `TlsMaterialRefused`."""
        return load(config, previous=self.material, was=self._config)

    def adopt(self, config: Config, material: Material) -> None:
        """`config` is in force."""
        self._config = config
        self._take(material)
        self._settling.start(look(material.files))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._look_every_s)
            await self._check()

    async def _check(self) -> None:
        before, config = self.material, self._config
        if config is None or not before.files:
            return
        seen = await asyncio.to_thread(look, before.files)
        if self._config is not config or not self._settling.has_changed(seen):
            return
        try:
            material = await asyncio.to_thread(load, config, previous=before, was=config)
        except TlsMaterialRefused as error:
            _log.error("TLS material is kept as it was: %s", error)
            return
        if self._config is not config:
            return  # published anew meanwhile, and loaded then
        self._take(material)
        if (material.listeners, material.services) != (before.listeners, before.services):
            _log.info("certificates were read anew")
            self._on_change()

    def _take(self, material: Material) -> None:
        for problem in material.problems:
            _log.error("%s", problem)
        self.material = material
