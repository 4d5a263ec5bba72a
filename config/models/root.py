"""The whole file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from config.models.clients import Clients
from config.models.failover import DisasterRecovery, Election, Failover
from config.models.listeners import DEFAULT_LISTENER, Admin, Listener, Peer
from config.models.model import Model
from config.models.node import Node, Secrets
from config.models.observability import Observability
from config.models.regions import Region
from config.models.residency import Residency
from config.models.routes import Route
from config.models.services import Service
from config.models.stores import Discovery, Geo, Stores
from config.models.sync import Sync
from config.models.tenancy import Overload, Tenant
from config.models.values import Slug


class Config(Model):
    """One multi-region system, and which node of it this is. Blocks that are None are features that are off."""

    version: Literal[1] = 1
    """Of this format."""
    node: Node
    secrets: Secrets = Secrets()
    listeners: Annotated[tuple[Listener, ...], Field(min_length=1)] = (DEFAULT_LISTENER,)
    admin: Admin = Admin()
    peer: Peer | None = None
    stores: Stores = Stores()
    discovery: Discovery = Discovery()
    geo: Geo = Geo()
    regions: Annotated[tuple[Region, ...], Field(min_length=1)]
    services: Annotated[tuple[Service, ...], Field(min_length=1)]
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    tenants: Mapping[Slug, Tenant] = {}
    overload: Overload | None = None
    residency: Residency = Residency()
    failover: Failover | None = None
    disaster_recovery: DisasterRecovery | None = None
    election: Election | None = None
    sync: Sync | None = None
    clients: Clients | None = None
    observability: Observability = Observability()
