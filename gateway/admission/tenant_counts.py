"""What became of each tenant's requests? By label: those of the configuration, and one for all others."""

from __future__ import annotations

from gateway.messages import TenantCount


class TenantCounts:
    """Since the last report."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, label: str, outcome: str) -> None:
        """`outcome`: admitted, limited, shed."""
        key = (label, outcome)
        self._counts[key] = self._counts.get(key, 0) + 1

    def take(self) -> list[TenantCount]:
        counts, self._counts = self._counts, {}
        return [TenantCount(tenant, outcome, count) for (tenant, outcome), count in counts.items()]
