"""Whose request is it, what may they use, and how much do they matter? Tenants by a claim, a header, a cookie.

A tenant with an entry in `tenants` has its own quota and importance. All others have `default`'s, each a bucket of its
own, and share one label in the metrics, so that no client can make series. Requests without a tenant are one of those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config.models import Config
from gateway.core import reasons
from gateway.core.client_keys import KeyPart, key_part
from gateway.core.limits import LimitPlan, quota_of
from gateway.core.shedding import RANKS

OTHER: Final = "other"
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class TenantPlan:
    """One entry of `tenants`."""

    label: str
    limit: LimitPlan | None
    """None where nobody limits it."""
    importance: int | None
    """In place of the route's."""


@dataclass(frozen=True, slots=True)
class Tenancy:
    """How a route knows its tenants."""

    part: KeyPart
    tenants: Mapping[str, TenantPlan]
    default: TenantPlan

    def plan_of(self, name: str) -> TenantPlan:
        return self.tenants.get(name, self.default)


def tenancy(config: Config, tenant: str | None, services: Sequence[str] = ()) -> Tenancy | None:
    """`tenant` as the route has it."""
    if tenant is None:
        return None
    shared = config.stores.limits
    scope = "node" if shared.kind == "local" else "global" if shared.global_ is not None else "region"
    plans = {}
    for name, entry in config.tenants.items():
        limit = LimitPlan(
            id=f"tenant-{name}",
            prefix=b"tenant\0" + name.encode() + b"\0",
            parts=(),
            quota=quota_of(entry.rate, entry.burst, scope),
            scope=scope,
            max_wait_s=0.0,
            max_queue=1,
            reason=reasons.TENANT_LIMITED,
        )
        label = OTHER if name == DEFAULT else name
        plans[name] = TenantPlan(label, limit, RANKS[entry.importance] if entry.importance is not None else None)
    default = plans.pop(DEFAULT, TenantPlan(OTHER, None, None))
    return Tenancy(key_part(tenant, services), plans, default)
