"""What a configuration names beside itself: certificates, the mesh's keys, the country database.

publication ──> load, which may be refused ──> adopt ──> in force, and followed where files may change
                                                         └─ certificates or keys have: `on_change`
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from config.core.signing import Signer
from config.mesh_keys import routing_signer
from config.models import Config
from gateway.keyring import Keyring, Keys
from gateway.locator import Locator, Source
from gateway.restarting import lasting
from gateway.tls.keeper import Keeper
from gateway.tls.material import Material


@dataclass(frozen=True, slots=True)
class Loaded:
    """Of one configuration, as it was read."""

    material: Material
    keys: Keys[Signer | None]
    countries: Source


class Sources:
    """One data plane's, used on its loop."""

    def __init__(
        self,
        on_change: Callable[[], None],
        *,
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`environ` holds what references to secrets name; `spawn` starts what follows the files, with its name."""
        self._spawn = spawn
        self._keeper = Keeper(on_change)
        self._keyring = Keyring(on_change, make=partial(routing_signer, environ=environ))
        self.countries = Locator()
        self._followed: set[str] = set()

    def load(self, config: Config) -> Loaded:
        """What `config` names; nothing changes before `adopt`.

        Raises `TlsMaterialRefused`, `KeysUnusable`, `SecretUnavailable`, `DatabaseUnusable`.
        """
        return Loaded(self._keeper.load(config), self._keyring.load(config), self.countries.load(config.geo.database))

    def adopt(self, config: Config, loaded: Loaded) -> None:
        """`config` is in force."""
        self._keeper.adopt(config, loaded.material)
        self.countries.adopt(loaded.countries)
        self._keyring.adopt(loaded.keys)
        if loaded.material.files:
            self._follow("certificate files", self._keeper.run)
        if self.countries.is_watching:
            self._follow("country database", self.countries.run)
        if self._keyring.is_watching:
            self._follow("signing keys", self._keyring.run)

    @property
    def material(self) -> Material:
        """Certificates and what belongs to them, as the files are now."""
        return self._keeper.material

    @property
    def signer(self) -> Signer | None:
        """Of the mesh's keys; None where nothing is signed."""
        return self._keyring.signer

    def _follow(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._followed:
            self._followed.add(name)
            self._spawn(lasting(run, name), name)
