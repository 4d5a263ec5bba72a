"""May this data go there? One policy, compiled once, asked by routing, replication, backup and log alike.

    data type named by a rule   -> the destination is among `allowed_regions` (when given)
                                   and lists one of `zones` among its compliance zones (when given); both must hold
    data type named by no rule  -> `residency.default`, deny unless the operator wrote otherwise
    destination not declared    -> no, whatever the rule: nothing is known of it

Fails closed: whatever is not allowed is refused, and the verdict says by which rule. Everything is worked out when the
configuration is compiled; a question costs two dictionary lookups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from config.models import Config, Region, ResidencyRule

Reason = Literal["allowed", "residency_region", "residency_zone", "residency_default"]
"""allowed; not among the rule's regions; in none of the rule's zones; named by no rule."""

DEFAULT_RULE = "default"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The same value goes to the log line, the metric, the admin API and `explain`."""

    allowed: bool
    reason: Reason
    rule: str | None
    """Data type of the rule that decided, `default` where none named the type."""


class ResidencyPolicy:
    """Compiled rules. Asked with everything that may ever matter, so that callers need not change when more does."""

    __slots__ = ("_by_type", "_default", "_elsewhere")

    def __init__(
        self, by_type: Mapping[str, Mapping[str, Verdict]], *, elsewhere: Verdict, default: Mapping[str, Verdict]
    ) -> None:
        self._by_type = by_type
        self._default = default
        self._elsewhere = elsewhere

    def may(self, data_type: str, *, source: str, destination: str, purpose: str, now: float) -> Verdict:
        """Whether data of this type may go from one region to another, for `purpose`, at `now` (wall seconds).

        Source, purpose and time decide nothing yet: no rule of today looks at them.
        """
        by_region = self._by_type.get(data_type)
        if by_region is None:
            return self._default.get(destination, self._elsewhere)
        verdict = by_region.get(destination)
        return Verdict(allowed=False, reason="residency_region", rule=data_type) if verdict is None else verdict


def compile_policy(config: Config) -> ResidencyPolicy:
    by_type = {
        rule.data_type: {region.id: _verdict(rule, region) for region in config.regions}
        for rule in config.residency.rules
    }
    refused = Verdict(allowed=False, reason="residency_default", rule=DEFAULT_RULE)
    otherwise = refused
    if config.residency.default == "allow":
        otherwise = Verdict(allowed=True, reason="allowed", rule=DEFAULT_RULE)
    return ResidencyPolicy(by_type, elsewhere=refused, default={region.id: otherwise for region in config.regions})


def _verdict(rule: ResidencyRule, region: Region) -> Verdict:
    allowed = rule.allowed_regions
    if allowed is not None and allowed != "*" and region.id not in allowed:
        return Verdict(allowed=False, reason="residency_region", rule=rule.data_type)
    if rule.zones and not set(rule.zones).intersection(region.compliance_zones):
        return Verdict(allowed=False, reason="residency_zone", rule=rule.data_type)
    return Verdict(allowed=True, reason="allowed", rule=rule.data_type)
