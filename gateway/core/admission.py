"""What does a route ask of a request before it goes on? Compiled once a configuration; None for a route without any.

    addresses, country ──> who are you ──> may you ──> how often ──> is there room ──> residency, regions
       access.py          credentials.py  permissions.py  limits.py     shedding.py

Each is a question with one answer: None, or the `Answer` of the refusal. Who waits for what is gateway/admission/.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.models import Config, Route
from config.models.access import Authentication
from gateway.core.access import AccessRules, access_rules
from gateway.core.data_service import ACTOR, NAME
from gateway.core.limits import LimitPlan, limit_plans
from gateway.core.permissions import Permissions
from gateway.core.shedding import RANKS
from gateway.core.tenancy import Tenancy, tenancy


@dataclass(frozen=True, slots=True)
class AdmissionPlan:
    """One route's."""

    route: str
    access: AccessRules | None
    authentication: Authentication | None
    """None where nobody has to say who they are."""
    stripped: tuple[bytes, ...]
    """Names of fields, in lower case, that only we may send upstream: what a client sends under them goes."""
    permissions: Permissions | None
    names_actor: bool
    """Whether the upstream is the data API, which is told who asks."""
    limits: tuple[LimitPlan, ...]
    tenancy: Tenancy | None
    importance: int
    """Rank (gateway/core/shedding.py)."""
    key: bytes
    """The route's name, as limits count by it."""


def admission_plan(config: Config, route: Route) -> AdmissionPlan | None:
    """None where the route asks for nothing."""
    rules = access_rules(route.id, route.access)
    asked = route.access.authentication
    authentication = None if asked.kind == "none" else asked
    permissions = None
    is_data = NAME in route.services
    if route.access.permissions is not None and is_data:
        collections = [one.name for one in config.sync.collections] if config.sync is not None else []
        permissions = Permissions(route.id, route.access.permissions, collections)
    limits = limit_plans(route.id, route.rate_limit, route.services)
    tenants = tenancy(config, route.tenant, route.services)
    asks = (rules, authentication, permissions, tenants, config.overload)
    if not is_data and not limits and all(one is None for one in asks):
        return None
    return AdmissionPlan(
        route=route.id,
        access=rules,
        authentication=authentication,
        stripped=(*_stripped(authentication), ACTOR) if is_data else _stripped(authentication),
        permissions=permissions,
        names_actor=is_data,
        limits=limits,
        tenancy=tenants,
        importance=RANKS[route.importance],
        key=route.id.encode(),
    )


def _stripped(authentication: Authentication | None) -> tuple[bytes, ...]:
    if authentication is None or authentication.kind != "jwt":
        return ()
    return tuple(name.lower().encode() for name in authentication.claims_to_headers.values())


def claims_named(route: Route) -> tuple[str, ...]:
    """The claims that limits and tenants of a route go by."""
    written = [text for limit in route.rate_limit for text in limit.key]
    if route.tenant is not None:
        written.append(route.tenant)
    return tuple(sorted({text.partition(":")[2] for text in written if text.startswith("jwt:")}))


def replace_fields(fields: bytes, stripped: tuple[bytes, ...], added: bytes) -> bytes:
    """Field lines without those that only we may send, and with ours.

    `_` counts as `-`: behind many servers the two are one.
    """
    kept = [
        line
        for line in fields.splitlines(keepends=True)
        if line.partition(b":")[0].lower().replace(b"_", b"-") not in stripped
    ]
    kept.append(added)
    return b"".join(kept)
