"""Counts of tenants."""

from __future__ import annotations

from gateway.admission.tenant_counts import TenantCounts
from gateway.messages import TenantCount


def test_counts_are_taken_once() -> None:
    counts = TenantCounts()
    counts.add("acme", "admitted")
    counts.add("acme", "admitted")
    counts.add("other", "shed")
    assert counts.take() == [TenantCount("acme", "admitted", 2), TenantCount("other", "shed", 1)]
    assert counts.take() == []
