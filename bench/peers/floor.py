"""The floor: a bare uvloop + httptools proxy (bench/floor.py), which does the least that any proxy in Python must."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from bench.setting import Launch, Place, Setting


class Floor:
    name = "floor"

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        return f"uvloop {metadata.version('uvloop')}, httptools {metadata.version('httptools')}"

    def refuses(self, setting: Setting, place: Place) -> str | None:
        if setting != Setting():
            return "the floor forwards plain HTTP to one backend and does nothing else"
        return None

    def prepare(self, setting: Setting, place: Place) -> Launch:
        script = Path(__file__).parent.parent / "floor.py"
        return Launch((sys.executable, str(script), str(place.port), place.backends[0]))

    def measured(self, place: Place, pids: Sequence[int]) -> Sequence[int]:
        return pids

    def counted(self, place: Place) -> int | None:
        return None
