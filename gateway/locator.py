"""Where do clients come from, by the source that the configuration names? Kept fresh, and remembered for each address.

    bundled          the registries' data (gateway/location.py)
    an .mmdb file    read anew when it has changed and come to rest; one that cannot be used leaves the one before

A database that has coordinates says where in its country a client is, too.

Private, loopback, link-local and other reserved addresses are of no country, whatever a file says. A location orders
regions and may close a route; it never widens what residency allows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from config.country_database import CountryDatabase, DatabaseUnusable, open_database
from config.file_changes import LOOK_EVERY_S, Settling, look
from gateway.core.geography import Place, Point, nowhere
from gateway.location import CACHED_ADDRESSES, is_public, registered_country

BUNDLED: Final = "bundled"

_log = logging.getLogger("gateway.location")


class Source:
    """One database, or the registries' data."""

    def __init__(self, path: str) -> None:
        """Raises `DatabaseUnusable`."""
        self.path = path
        self.database: CountryDatabase | None = None if path == BUNDLED else open_database(path)
        self.country_of: Callable[[str], str | None] = (
            registered_country if self.database is None else _remembered(self.database)
        )
        self.place_of: Callable[[str], Place | None] = (
            nowhere if self.database is None else _remembered_places(self.database)
        )


def _remembered(database: CountryDatabase) -> Callable[[str], str | None]:
    @lru_cache(maxsize=CACHED_ADDRESSES)
    def country_of(address: str) -> str | None:
        return database.country_of(address) if is_public(address) else None

    return country_of


def _remembered_places(database: CountryDatabase) -> Callable[[str], Place | None]:
    @lru_cache(maxsize=CACHED_ADDRESSES)
    def place_of(address: str) -> Place | None:
        found = database.place_of(address) if is_public(address) else None
        if found is None:
            return None
        country, latitude, longitude = found
        return Place(country, Point(float(round(latitude)), float(round(longitude))))

    return place_of


class Locator:
    """One data plane's, used on its loop; files are read on a thread."""

    def __init__(self, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self.source = Source(BUNDLED)
        self.refused = 0
        """Changed files that could not be used."""
        self._look_every_s = look_every_s
        self._settling = Settling()

    def country_of(self, address: str) -> str | None:
        """ISO 3166-1 alpha-2 code, or None where none is known."""
        return self.source.country_of(address)

    def place_of(self, address: str) -> Place | None:
        """Where in its country; None where no database tells."""
        return self.source.place_of(address)

    @property
    def built_at(self) -> float | None:
        """Unix seconds, of the operator's database; None for registry data."""
        return self.source.database.built_at if self.source.database is not None else None

    @property
    def is_watching(self) -> bool:
        """Whether there is a file that may change."""
        return self.source.database is not None

    def load(self, path: str) -> Source:
        """What a configuration names; nothing changes before `adopt`. Raises `DatabaseUnusable`."""
        return self.source if path == self.source.path else Source(path)

    def adopt(self, source: Source) -> None:
        if source is not self.source:
            self.source = source
            self._settling.start(look([source.path]))

    async def run(self) -> None:
        """Follow the file. Until cancelled."""
        while True:
            await asyncio.sleep(self._look_every_s)
            await self._check()

    async def _check(self) -> None:
        before = self.source
        if before.database is None:
            return
        seen = await asyncio.to_thread(look, [before.path])
        if self.source is not before or not self._settling.has_changed(seen):
            return
        try:
            fresh = await asyncio.to_thread(Source, before.path)
        except DatabaseUnusable as error:
            self.refused += 1
            _log.error("%s cannot be used, and the countries stay as they were: %s", before.path, error)
            return
        if self.source is before:
            self.source = fresh
            _log.info("%s was read anew", before.path)
