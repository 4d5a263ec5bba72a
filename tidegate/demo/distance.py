"""How long does a packet take from one region to another and back?

    great-circle distance (haversine)  x  routing factor  /  speed of light in fibre,  there and back

Fibre carries light at about two thirds of its speed in vacuum, and cables follow coasts and cities, not great circles:
half as long again agrees with public measurements between these cities (Dublin - Virginia about 80 ms, Dublin - Mumbai
about 120 ms, Virginia - Mumbai about 190 ms) to a tenth. Within a region a round trip is taken as one millisecond.

Nodes are named `gw-<region>`, so that a backend can tell from `Via` where a request comes from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

EARTH_RADIUS_KM = 6371.0
FIBRE_KM_PER_S = 200_000.0
ROUTING_FACTOR = 1.5
WITHIN_REGION_S = 0.001
NODE_PREFIX = "gw-"


@dataclass(frozen=True, slots=True)
class Place:
    """A region of the demo and where it lies, in degrees."""

    region: str
    name: str
    continent: str
    country: str
    city: str
    latitude: float
    longitude: float

    @property
    def node_id(self) -> str:
        return f"{NODE_PREFIX}{self.region}"


PLACES = (
    Place("eu-west", "Ireland", "EU", "IE", "Dublin", 53.35, -6.26),
    Place("us-east", "Virginia", "NA", "US", "Ashburn", 38.95, -77.45),
    Place("ap-south", "Mumbai", "AS", "IN", "Mumbai", 19.08, 72.88),
)
BY_REGION = {place.region: place for place in PLACES}


def great_circle_km(here: Place, there: Place) -> float:
    """Distance over the ground by the haversine formula."""
    lat_here, lat_there = math.radians(here.latitude), math.radians(there.latitude)
    half_lat = (lat_there - lat_here) / 2
    half_lon = math.radians(there.longitude - here.longitude) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_here) * math.cos(lat_there) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(chord))


def round_trip_s(here: str, there: str) -> float:
    """Seconds there and back between two regions of the demo; raises KeyError for a region that is not one."""
    if here == there:
        return WITHIN_REGION_S
    return 2 * great_circle_km(BY_REGION[here], BY_REGION[there]) * ROUTING_FACTOR / FIBRE_KM_PER_S


def region_of_node(node_id: str) -> str | None:
    """The region where a node of the demo stands, None when it is not one of them."""
    region = node_id.removeprefix(NODE_PREFIX)
    return region if region != node_id and region in BY_REGION else None


def nearest_first(region: str) -> tuple[str, ...]:
    """All regions of the demo as seen from one, that one first."""
    return tuple(sorted(BY_REGION, key=lambda other: round_trip_s(region, other)))
