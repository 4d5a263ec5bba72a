"""What the harness needs of a proxy, whichever it is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bench.setting import Launch, Place, Setting

PACKAGED = Path(".tools/bench/bin")
"""The environment that `scripts/bench` makes from bench/peers.lock."""


class Contestant(Protocol):
    """Stateless: an instance of it is a `Place`."""

    name: str

    def missing(self) -> str | None:
        """One sentence when it cannot be had on this machine."""

    def version(self) -> str: ...

    def refuses(self, setting: Setting, place: Place) -> str | None:
        """One sentence when it does not do what the setting asks, and then it is not measured."""

    def prepare(self, setting: Setting, place: Place) -> Launch:
        """Write its files."""

    def measured(self, place: Place, pids: Sequence[int]) -> Sequence[int]:
        """Those of its processes that carry traffic; the others are accounted beside them."""

    def counted(self, place: Place) -> int | None:
        """Requests by its own access counter; None: it has none."""


def find(program: str) -> str | None:
    """Its path: of our own environment, or of the system."""
    packaged = PACKAGED / program
    if packaged.exists():
        return str(packaged.absolute())
    for folder in ("", "/usr/sbin/"):
        if found := shutil.which(folder + program):
            return found
    return None


def found(program: str) -> str:
    """Its path, after `missing` has said that it is there."""
    path = find(program)
    if path is None:
        raise FileNotFoundError(f"found no {program}, expected it after `make bench` installed it")
    return path


def absent(program: str) -> str | None:
    return None if find(program) else f"{program} could not be installed here"
