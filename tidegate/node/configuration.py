"""The configuration in force in the control process, and what became of attempts to change it.

    adopt(loaded)  ->  Adopted, Unchanged or Refused     a bad file leaves the old one in force, and everybody hears so

What is in force was compiled before it was adopted, so no data plane ever gets one that does not compile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from config.loader import Loaded, load_file
from config.models import Config
from config.problems import ConfigurationError
from gateway.core.snapshot import CompiledRouting, compile_routing
from tidegate.node.core.descriptors import descriptors_needed, limits_are_written
from tidegate.node.core.fixed import changed_but_fixed, sentence
from tidegate.node.core.open_files import too_few
from tidegate.node.startup import mistakes


@dataclass(frozen=True)
class Attempt:
    """One reload, as people are told of it."""

    ok: bool
    changed: bool
    problems: tuple[str, ...]
    at: float
    """Wall seconds."""


class Configuration:
    """What is in force. `wall` is Unix time; each of `workers` may open `may_open` files, None is without limit."""

    def __init__(
        self,
        loaded: Loaded,
        *,
        degraded: str | None,
        wall: Callable[[], float],
        workers: int = 1,
        may_open: int | None = None,
    ) -> None:
        self._wall = wall
        self._workers = workers
        self._may_open = may_open
        self.degraded = degraded
        """Why it is not the file's own; None when it is."""
        self.last_reload: Attempt | None = None
        self.reloads = {"adopted": 0, "unchanged": 0, "refused": 0}
        self.loaded = loaded
        self.accepted_at = wall()
        self.routing = self._compile(loaded)
        self.as_json = loaded.config.model_dump_json()

    async def reload(self, file: Path, *, environ: Mapping[str, str]) -> Attempt:
        """Read the file again, and put it in force if it is good."""
        try:
            loaded = await asyncio.to_thread(load_file, file, environ=environ)
        except ConfigurationError as error:
            return self._ended(ok=False, problems=mistakes(error))
        if fixed := changed_but_fixed(self.loaded.config, loaded.config):
            return self._ended(ok=False, problems=(sentence(fixed),))
        if (trouble := self._too_few_files(loaded.config)) is not None:
            return self._ended(ok=False, problems=(trouble,))
        if loaded.digest == self.loaded.digest:
            self.degraded = None
            return self._ended(ok=True)
        try:
            routing = await asyncio.to_thread(self._compile, loaded)
        except ValueError as error:
            return self._ended(ok=False, problems=(str(error),))
        self.loaded, self.routing, self.as_json = loaded, routing, loaded.config.model_dump_json()
        self.degraded, self.accepted_at = None, self._wall()
        return self._ended(ok=True, changed=True)

    def _compile(self, loaded: Loaded) -> CompiledRouting:
        return compile_routing(loaded.config, digest=loaded.digest, now=self._wall())

    def _too_few_files(self, config: Config) -> str | None:
        """With these limits in the file the next start would be refused, so this reload is."""
        if not limits_are_written(config):
            return None
        return too_few(needed=descriptors_needed(config, workers=self._workers), may_open=self._may_open)

    def _ended(self, *, ok: bool, changed: bool = False, problems: tuple[str, ...] = ()) -> Attempt:
        self.reloads["adopted" if changed else "unchanged" if ok else "refused"] += 1
        self.last_reload = Attempt(ok, changed, problems, self._wall())
        return self.last_reload
