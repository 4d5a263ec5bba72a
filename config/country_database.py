"""An operator's own `.mmdb` file: opened, tried, and asked for countries.

The file is copied into memory first, so that whoever writes over it in place cannot pull it away under a reader that
has it mapped (which would end the process by SIGBUS). A record that cannot be read is an unknown country, and counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import maxminddb

from config.core.country_record import coordinates_in, country_in
from config.models import Config
from config.problems import Finding

MAX_BYTES: Final = 1 << 30
"""Of the file: city databases have some 100 MiB."""
TRIED: Final = 2000
"""Records that are read before a file without any country is refused: ranges without one may come first."""


class DatabaseUnusable(Exception):
    """The file cannot be read, is no database, or holds no countries. The message says which."""


class CountryDatabase:
    """Made by `open_database`."""

    def __init__(self, reader: maxminddb.Reader) -> None:
        self._reader = reader
        self.built_at = reader.metadata().build_epoch
        """Unix seconds."""
        self.unreadable = 0
        """Lookups that met a broken record."""

    def country_of(self, address: str) -> str | None:
        """ISO 3166-1 alpha-2 code, or None where the database knows none."""
        return country_in(self._record(address))

    def place_of(self, address: str) -> tuple[str, float, float] | None:
        """Country, latitude and longitude in degrees; None where the database does not know all of them."""
        record = self._record(address)
        country, at = country_in(record), coordinates_in(record)
        return None if country is None or at is None else (country, *at)

    def _record(self, address: str) -> object:
        try:
            return self._reader.get(address)
        except ValueError:
            return None  # no address, or IPv6 in a database of IPv4
        except maxminddb.InvalidDatabaseError:
            self.unreadable += 1
            return None

    def names_countries(self) -> bool:
        """Whether one of its first records does. Raises `InvalidDatabaseError`."""
        return any(country_in(record) is not None for _, record in islice(self._reader, TRIED))


def open_database(path: str) -> CountryDatabase:
    """Raises `DatabaseUnusable`."""
    try:
        descriptor = _copied(path)
    except OSError as error:
        raise DatabaseUnusable((error.strerror or str(error)).lower()) from error
    try:
        database = CountryDatabase(maxminddb.open_database(f"/proc/self/fd/{descriptor}"))
        if not database.names_countries():
            raise DatabaseUnusable("a database without countries")
    except (maxminddb.InvalidDatabaseError, ValueError, OSError, EOFError) as error:
        raise DatabaseUnusable("no MaxMind database, or a broken one") from error
    finally:
        os.close(descriptor)
    return database


def _copied(path: str) -> int:
    """A descriptor of the file's content as it is now."""
    descriptor = os.memfd_create("countries")
    try:
        with Path(path).open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            if size > MAX_BYTES:
                raise OSError(f"{size} bytes, more than the {MAX_BYTES} that are read")
            while chunk := source.read(1 << 20):
                os.write(descriptor, chunk)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check(config: Config) -> Iterator[Finding]:
    """Whether the database that a configuration names can be used. That it is there is config/named.py's."""
    path = config.geo.database
    if path == "bundled" or not Path(path).is_file():
        return
    try:
        open_database(path)
    except DatabaseUnusable as error:
        yield Finding(("geo", "database"), f"{path} ({error})", "an .mmdb file with countries, or bundled")
