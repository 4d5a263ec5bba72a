"""What desktop and web clients are told at /.well-known/tidegate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from config.models.model import Model
from config.models.values import AbsolutePath, Origin, Slug
from config.units import Duration, between


class ClientRegion(Model):
    """Where clients reach a region."""

    url: Origin
    """First choice."""
    backup_url: Origin | None = None
    """Second choice."""


class ClientHealth(Model):
    """How clients check the region that they use."""

    path: AbsolutePath = "/.well-known/tidegate/health"
    """What they ask for."""
    interval: Annotated[Duration, between("1s", "1d")] = 30.0
    """From one check to the next."""
    timeout: Annotated[Duration, between("100ms", "10m")] = 3.0
    """A check that takes longer has failed."""
    auto_switch: bool = True
    """Whether a client moves to another region by itself."""


class Clients(Model):
    """What clients are told at /.well-known/tidegate."""

    default_region: Slug = "auto"
    """auto: the nearest one that is well; or a region's id."""
    user_selectable: bool = True
    """Whether a user may choose the region."""
    remember_last_region: bool = True
    """Whether the choice outlives the program."""
    offline_fallback_region: Slug | None = None
    """Region to assume when none can be reached."""
    regions: Mapping[Slug, ClientRegion] = {}
    """Region to the URLs that clients use."""
    health: ClientHealth = ClientHealth()
