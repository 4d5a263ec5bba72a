"""How far is it? Great-circle distances, and where a country is when nothing better is known of a client."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

EARTH_RADIUS_KM: Final = 6371.0


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees, north and east positive."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is, as far as a database tells: to a whole degree, which is enough to tell regions apart."""

    country: str
    point: Point


def nowhere(_address: str) -> Place | None:
    """For who has no database that knows more than countries."""
    return None


def distance_km(one: Point, other: Point) -> float:
    """Haversine formula on a sphere; within half a per cent of the ellipsoid, far below what routing can tell."""
    lat_1, lat_2 = math.radians(one.latitude), math.radians(other.latitude)
    half_lat = (lat_2 - lat_1) / 2
    half_lon = math.radians(other.longitude - one.longitude) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_1) * math.cos(lat_2) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))
