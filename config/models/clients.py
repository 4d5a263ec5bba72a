"""What desktop and web clients are told at /.well-known/tidegate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from config.models.model import Model
from config.models.values import AbsolutePath, Origin, Slug
from config.units import Duration, between


class ClientRegion(Model):
    url: Origin
    backup_url: Origin | None = None


class ClientHealth(Model):
    path: AbsolutePath = "/.well-known/tidegate/health"
    interval: Annotated[Duration, between("1s", "1d")] = 30.0
    timeout: Annotated[Duration, between("100ms", "10m")] = 3.0
    auto_switch: bool = True
    """Whether a client moves to another region by itself."""


class Clients(Model):
    default_region: Slug = "auto"
    """auto: the nearest one that is well; or a region's id."""
    user_selectable: bool = True
    remember_last_region: bool = True
    offline_fallback_region: Slug | None = None
    regions: Mapping[Slug, ClientRegion] = {}
    """Region to the URLs that clients use."""
    health: ClientHealth = ClientHealth()
