"""Which endpoints answer so much worse than the others that no data plane should ask them for a while?

    reports of all data planes ──> answers and errors by endpoint, in an interval ──> the rates compared ──> ejected

One data plane sees too few requests to compare rates; control sees them all. What it ejects is published to all of
them, and forgotten with this process: the next one compares anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from config.models import Config
from gateway.core.ejections import Ejections, success_rate_outliers
from gateway.core.policies import outliers_of
from gateway.messages import Report


class SuccessRates:
    """All services with outlier detection."""

    def __init__(self) -> None:
        self._ejections: dict[str, Ejections] = {}
        self._counts: dict[str, tuple[int, int]] = {}
        self._look_at: dict[str, float] = {}

    def adopt(self, config: Config, *, now: float) -> None:
        """Another configuration; what is out stays out where its service still has outlier detection."""
        policies = {service.id: outliers_of(service) for service in config.services}
        for service in [name for name in self._ejections if policies.get(name) is None]:
            del self._ejections[service]
            self._look_at.pop(service, None)
        for service, policy in policies.items():
            if policy is not None:
                known = self._ejections.setdefault(service, Ejections(policy))
                known.policy = policy
                self._look_at.setdefault(service, now + policy.interval_s)

    def add(self, report: Report) -> None:
        if not self._ejections:
            return
        for count in report.endpoints:
            requests, errors = self._counts.get(count.endpoint, (0, 0))
            lost = count.connect_failures + count.failures
            self._counts[count.endpoint] = (requests + count.answers + lost, errors + count.errors + lost)

    def look(self, now: float) -> bool:
        """Compare where an interval is over; whether somebody new is out."""
        changed = False
        for service, ejections in self._ejections.items():
            if now < self._look_at[service]:
                continue
            self._look_at[service] = now + ejections.policy.interval_s
            members = {name for name in self._counts if name.startswith(service + "/")}
            counts = {name: self._counts.pop(name) for name in members}
            ejections.keep_only(members | ejections.out(now))
            for outlier in success_rate_outliers(counts, ejections.policy):
                changed |= ejections.eject(outlier, of=len(members | ejections.out(now)), now=now) is not None
        return changed

    def until(self, now: float) -> Mapping[str, float]:
        """Who is out, and until when by this process's clock."""
        return {
            name: until
            for ejections in self._ejections.values()
            for name, until in ejections.until.items()
            if until > now
        }
