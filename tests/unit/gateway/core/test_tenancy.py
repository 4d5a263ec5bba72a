"""Tenants, configured and not."""

from __future__ import annotations

from gateway.core.tenancy import tenancy
from tests.harness.routing import config

TENANTS = {"default": {"rate": "50/s"}, "acme": {"rate": "500/s", "burst": 1000, "importance": "critical"}}


def test_named_tenants_have_their_own_and_all_others_share_a_label() -> None:
    found = tenancy(config(tenants=TENANTS), "header:X-Tenant")
    assert found is not None
    acme, other = found.plan_of("acme"), found.plan_of("anything\r\n")
    assert acme.limit is not None
    assert (acme.label, acme.importance, acme.limit.quota.burst) == ("acme", 2, 1000)
    assert other.limit is not None
    assert (other.label, other.importance, other.limit.quota.burst, other.limit.scope) == ("other", None, 50, "node")
    assert found.plan_of("default") is other, "default is nobody's name"


def test_without_a_default_others_are_unlimited_and_without_tenant_there_is_none() -> None:
    assert tenancy(config(), None) is None
    found = tenancy(config(), "ip")
    assert found is not None
    assert found.plan_of("x").limit is None


def test_quotas_are_counted_as_widely_as_the_stores_allow() -> None:
    stores = {"limits": {"kind": "redis", "region": "redis://127.0.0.1:1", "global": "redis://127.0.0.1:2"}}
    found = tenancy(config(tenants=TENANTS, stores=stores), "header:X-Tenant")
    assert found is not None
    limit = found.plan_of("acme").limit
    assert limit is not None
    assert limit.scope == "global"
