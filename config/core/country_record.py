"""Which country does a record of a database, or a header of a CDN, mean? Whatever is no ISO 3166-1 code is none.

{"country": {"iso_code": "DE"}}   MaxMind, DB-IP          {"country_code": "DE"}   ip-location-db, IPinfo
{"country": "DE"}                 older IPinfo            `XX`, `T1`, `ZZ`, ...    unknown, Tor: no country

{"location": {"latitude": 53.3, "longitude": -6.2}}       where in it, MaxMind
{"latitude": "53.3", "longitude": "-6.2"}                 ip-location-db, IPinfo
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

_NOWHERE: Final = frozenset(("XX", "ZZ", "EU", "AP"))
"""Written where the country is not known: nobody's, nobody's, and two regions of registries."""


def country_of_code(code: object) -> str | None:
    """Two letters, in capitals; None for everything else."""
    if not isinstance(code, str) or len(code) != 2 or not (code.isascii() and code.isalpha()):
        return None
    capitals = code.upper()
    return None if capitals in _NOWHERE else capitals


def country_in(record: object) -> str | None:
    """Of a database's record for an address; None where it names no country."""
    if not isinstance(record, Mapping):
        return None
    country = record.get("country")
    if isinstance(country, Mapping):
        country = country.get("iso_code")
    return country_of_code(country) or country_of_code(record.get("country_code"))


def coordinates_in(record: object) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, north and east positive; None where the record has none that are on Earth."""
    if not isinstance(record, Mapping):
        return None
    location = record.get("location")
    written = location if isinstance(location, Mapping) else record
    latitude, longitude = _degrees(written.get("latitude"), 90.0), _degrees(written.get("longitude"), 180.0)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _degrees(written: object, most: float) -> float | None:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    try:
        degrees = float(written)
    except (ValueError, OverflowError):
        return None
    return degrees if math.isfinite(degrees) and abs(degrees) <= most else None
