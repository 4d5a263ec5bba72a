"""What each tenant may use, and what is shed when there is too much of everything."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.models.model import Model
from config.models.routes import Importance
from config.units import Duration, Rate, Share, between


class Tenant(Model):
    """The quota of one tenant, by the routes' `tenant`; the one named default is everyone else's."""

    rate: Rate
    """Requests over time."""
    burst: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """How many at once; by default what the rate gives in a second."""
    importance: Importance | None = None
    """In place of the route's."""


class Overload(Model):
    """Load shedding, least important first."""

    max_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 4000
    """Requests of a node at a time."""
    target_delay: Annotated[Duration, between("1ms", "10s")] = 0.02
    """Event-loop delay at which shedding starts."""
    memory: Share = 0.8
    """Of the limit that the machine or container sets."""
