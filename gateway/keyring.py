"""Which of the mesh's keys sign and verify now? Read with a configuration, and anew when a key file changes.

    publication ──> load ──> adopt           once a second, on a thread: look ──> changed ──> load ──> on_change

Looked at like certificates are. What the files say is what counts: a key that is in none of them any more verifies
nothing, and a file that cannot be read leaves the keys as they were.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from config.core.signing import Signer
from config.file_changes import LOOK_EVERY_S, Settling, Signature, look
from config.mesh_keys import KeysUnusable, signing_key_files
from config.models import Config
from config.secrets import SecretUnavailable

SignerT = TypeVar("SignerT", bound=Signer | None)

_log = logging.getLogger("gateway.keys")


@dataclass(frozen=True, slots=True)
class Keys(Generic[SignerT]):
    """Of one configuration, as they were read."""

    config: Config
    signer: SignerT
    files: tuple[str, ...]
    seen: tuple[Signature | None, ...]
    """What the files looked like before they were read: what changes meanwhile is news."""


class Keyring(Generic[SignerT]):
    """One process's, used on its loop. `on_change` is called after the keys were read anew."""

    def __init__(
        self,
        on_change: Callable[[], None],
        *,
        make: Callable[[Config], SignerT],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """`make` reads the keys (config/mesh_keys.py); it makes None of a configuration that signs nothing."""
        self._on_change = on_change
        self._make = make
        self._look_every_s = look_every_s
        self._keys: Keys[SignerT] | None = None
        self._settling = Settling()

    @property
    def signer(self) -> SignerT:
        """Of the keys adopted last. Raises LookupError before the first."""
        if self._keys is None:
            raise LookupError("no configuration was adopted yet")
        return self._keys.signer

    @property
    def is_watching(self) -> bool:
        """Whether there is a file that may change."""
        return self._keys is not None and bool(self._keys.files)

    def load(self, config: Config) -> Keys[SignerT]:
        """What a configuration names; nothing changes before `adopt`. Raises SecretUnavailable or KeysUnusable."""
        files = signing_key_files(config)
        seen = look(files)
        signer = self._make(config)
        if signer is None:
            return Keys(config, signer, (), ())
        return Keys(config, signer, files, look(files) if None in seen else seen)  # the first start has just made one

    def adopt(self, keys: Keys[SignerT]) -> None:
        self._keys = keys
        self._settling.start(keys.seen)

    async def run(self) -> None:
        """Follow the files. Until cancelled."""
        while True:
            await asyncio.sleep(self._look_every_s)
            await self._check()

    async def _check(self) -> None:
        before = self._keys
        if before is None or not before.files:
            return
        seen = await asyncio.to_thread(look, before.files)
        if self._keys is not before or not self._settling.has_changed(seen):
            return
        try:
            fresh = await asyncio.to_thread(self.load, before.config)
        except (SecretUnavailable, KeysUnusable) as error:
            _log.error("the signing keys stay as they were: %s", error)
            return
        if self._keys is before:  # else published anew meanwhile, and loaded then
            self.adopt(fresh)
            _log.info("the signing keys were read anew")
            self._on_change()
