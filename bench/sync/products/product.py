"""What must a product offer to be measured? Two regions that replicate, started and ended, and facts for the page."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.sync.client import Side
from bench.sync.family import family

Through = Callable[[int], int]
"""The port at which the other region reaches a port: the same, or that of a relay."""


@dataclass(frozen=True, slots=True)
class Region:
    side: Side
    root: int
    """The process that has started all its others."""


@dataclass(frozen=True, slots=True)
class Pair:
    a: Region
    """Writes."""
    b: Region
    """Follows."""


class Product(Protocol):
    name: str
    settings: str
    """What was set, and how durable an acknowledged write is."""
    observed: str
    """How it is known that a document is visible in B."""
    share: float
    """Of the documents that the others write: less for one that would take minutes."""

    def missing(self) -> str | None:
        """Why it cannot be measured here, in a sentence."""
        ...

    def version(self) -> str: ...

    def pair(self, folder: Path, through: Through) -> AbstractAsyncContextManager[Pair]:
        """Both regions, replicating."""
        ...


def directly(port: int) -> int:
    return port


def halt(region: Region) -> None:
    """No process of it runs any more, and its connections stay open: the parents first, so that none starts another."""
    for pid in family(region.root):
        os.kill(pid, signal.SIGSTOP)


def go_on(region: Region) -> None:
    for pid in family(region.root):
        os.kill(pid, signal.SIGCONT)
