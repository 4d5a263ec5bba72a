"""Keeps the files of users and keys as they are now: read at publication, and anew when one changes.

    publication ──> adopt ──> read            once a second, on a thread: look ──> changed ──> read

Looked at like certificates are (docs/decisions/0003). A file that cannot be used leaves what was there in force; where
nothing was, the value is None, and the route that needs it refuses everybody: it fails closed, alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from config.file_changes import LOOK_EVERY_S, Settling, Signature, look
from config.models.values import SecretReference
from config.secrets import SecretUnavailable, resolve
from gateway.core.key_file import CredentialFileRefused

ValueT = TypeVar("ValueT")

_log = logging.getLogger("gateway.admission")


class Held(Generic[ValueT]):
    """What one reference names, read by `read`."""

    def __init__(
        self, reference: SecretReference, read: Callable[[bytes], ValueT], *, environ: Mapping[str, str]
    ) -> None:
        self.reference = reference
        self.value: ValueT | None = None
        self.problem = ""
        """Why it is not what the file says now; empty when it is."""
        self.seen: Signature | None = None
        """What its file looked like when it was read last."""
        self._read = read
        self._environ = environ

    def load(self) -> None:
        if self.reference.kind == "file":
            self.seen = look((self.reference.name,))[0]  # before reading: what changes meanwhile is news
        try:
            self.value = self._read(resolve(self.reference, environ=self._environ))
            self.problem = ""
        except (SecretUnavailable, CredentialFileRefused) as error:
            self.problem = str(error)
            kept = "what was read before stays" if self.value is not None else "its routes refuse everybody"
            _log.error("%s: %s; %s", self.reference, error, kept)


class Materials:
    """All of a configuration."""

    def __init__(self, *, environ: Mapping[str, str], look_every_s: float = LOOK_EVERY_S) -> None:
        self._environ = environ
        self._look_every_s = look_every_s
        self._held: dict[tuple[SecretReference, Callable[[bytes], Any]], Held[Any]] = {}
        self._settling = Settling()

    def hold(self, reference: SecretReference, read: Callable[[bytes], ValueT]) -> Held[ValueT]:
        """The same holder for the same reference, read now."""
        held = self._held.get((reference, read))
        if held is None:
            held = self._held[reference, read] = Held(reference, read, environ=self._environ)
        held.load()
        return held

    def keep_only(self, wanted: Iterable[SecretReference]) -> None:
        """Forget what no route refers to any more."""
        known = set(wanted)
        self._held = {key: held for key, held in self._held.items() if key[0] in known}
        self._settling.start(tuple(held.seen for held in self._of_files()))

    @property
    def files(self) -> list[str]:
        return [held.reference.name for held in self._of_files()]

    def _of_files(self) -> list[Held[Any]]:
        return [held for held in self._held.values() if held.reference.kind == "file"]

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._look_every_s)
            files = self.files
            if not files:
                continue
            seen = await asyncio.to_thread(look, files)
            if files == self.files and self._settling.has_changed(seen):
                for held in list(self._held.values()):
                    await asyncio.to_thread(held.load)
                _log.info("files of users and keys were read anew")
