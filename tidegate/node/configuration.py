"""The configuration in force in the control process, and what became of attempts to change it.

    adopt(loaded)  ->  Adopted, Unchanged or Refused     a bad file leaves the old one in force, and everybody hears so

What is in force was compiled before it was adopted, so no data plane ever gets one that does not compile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from config.core.signing import Signer
from config.file_changes import LOOK_EVERY_S
from config.loader import Loaded, load_file
from config.mesh_keys import KeysUnusable, routing_signer
from config.models import Config
from config.problems import ConfigurationError
from config.secrets import SecretUnavailable
from gateway.core.compiling import compile_routing
from gateway.core.plans import CompiledRouting
from gateway.keyring import Keyring, Keys
from tidegate.node.core.descriptors import descriptors_needed, limits_are_written
from tidegate.node.core.fixed import changed_but_fixed, sentence
from tidegate.node.core.open_files import too_few
from tidegate.node.startup import mistakes


class Load(Protocol):
    """`config.loader.load_file`, or what stands in for it where there are no files."""

    def __call__(self, path: Path, *, environ: Mapping[str, str]) -> Loaded:
        """Raises ConfigurationError."""
        ...


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
        environ: Mapping[str, str] = MappingProxyType({}),
        look_every_s: float = LOOK_EVERY_S,
        load: Load = load_file,
    ) -> None:
        self._keyring = Keyring(
            self._keys_changed, make=partial(routing_signer, environ=environ), look_every_s=look_every_s
        )
        self._on_keys_changed: Callable[[], None] = lambda: None
        self._load = load
        self._wall = wall
        self._workers = workers
        self._may_open = may_open
        self.degraded = degraded
        """Why it is not the file's own; None when it is."""
        self.last_reload: Attempt | None = None
        self.reloads = {"adopted": 0, "unchanged": 0, "refused": 0}
        self.loaded = loaded
        self.accepted_at = wall()
        self.routing, keys = self._compile(loaded)
        self._follow(keys)
        self.as_json = loaded.config.model_dump_json()

    async def reload(self, file: Path, *, environ: Mapping[str, str]) -> Attempt:
        """Read the file again, and put it in force if it is good."""
        try:
            loaded = await asyncio.to_thread(self._load, file, environ=environ)
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
            routing, keys = await asyncio.to_thread(self._compile, loaded)
        except ValueError as error:
            return self._ended(ok=False, problems=(str(error),))
        self.loaded, self.routing, self.as_json = loaded, routing, loaded.config.model_dump_json()
        self._follow(keys)
        self.degraded, self.accepted_at = None, self._wall()
        return self._ended(ok=True, changed=True)

    async def follow_keys(self, on_change: Callable[[], None]) -> None:
        """Compile anew when a file of the signing keys changes; `on_change` hears of it. Until cancelled."""
        self._on_keys_changed = on_change
        await self._keyring.run()

    def _keys_changed(self) -> None:
        self.routing = self._compile_with(self.loaded, self._keyring.signer)
        self._on_keys_changed()

    def _follow(self, keys: Keys[Signer | None] | None) -> None:
        if keys is not None:
            self._keyring.adopt(keys)

    def _compile(self, loaded: Loaded) -> tuple[CompiledRouting, Keys[Signer | None] | None]:
        try:
            keys = self._keyring.load(loaded.config)
        except (SecretUnavailable, KeysUnusable):
            # Only explanations lack them; the data planes refuse such a configuration, and say why.
            return self._compile_with(loaded, None), None
        return self._compile_with(loaded, keys.signer), keys

    def _compile_with(self, loaded: Loaded, signer: Signer | None) -> CompiledRouting:
        return compile_routing(loaded.config, digest=loaded.digest, now=self._wall(), signer=signer)

    def _too_few_files(self, config: Config) -> str | None:
        """With these limits in the file the next start would be refused, so this reload is."""
        if not limits_are_written(config):
            return None
        return too_few(needed=descriptors_needed(config, workers=self._workers), may_open=self._may_open)

    def _ended(self, *, ok: bool, changed: bool = False, problems: tuple[str, ...] = ()) -> Attempt:
        self.reloads["adopted" if changed else "unchanged" if ok else "refused"] += 1
        self.last_reload = Attempt(ok, changed, problems, self._wall())
        return self.last_reload
