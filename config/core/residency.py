"""May this data go there? One policy, compiled once, asked by routing, replication, backup and log alike.

    data type named by a rule   -> the destination is among `allowed_regions` (when given)
                                   and lists one of `zones` among its compliance zones (when given); both must hold
    data type named by no rule  -> `residency.default`, deny unless the operator wrote otherwise
    destination not declared    -> no, whatever the rule: nothing is known of it
    refused, but excepted       -> an agreement from this source to this destination names the type, and `now` is not
                                   after its last day (UTC)

Fails closed: whatever is not allowed is refused, and the verdict says by which rule. An agreement is about a way, not
about a place: it lets data go from its source to its destination, and nobody else send there, nor its destination take
part as if it were allowed. Everything is worked out when the configuration is compiled; a question costs two dictionary
lookups, and one more where it is refused. Only agreements depend on the time: what is compiled from verdicts holds
until `changes_after`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from config.models import Config, Region, ResidencyRule, TransferAgreement

Reason = Literal["allowed", "transfer_agreement", "residency_region", "residency_zone", "residency_default"]
"""allowed; by an agreement; not among the rule's regions; in none of the rule's zones; named by no rule."""

DEFAULT_RULE = "default"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The same value goes to the log line, the metric, the admin API and `explain`."""

    allowed: bool
    reason: Reason
    rule: str | None
    """Data type of the rule that decided, `default` where none named the type, the id of an agreement."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One exception, for one data type and one way."""

    ends_at: float
    """Wall seconds: the end of its last day, UTC."""
    verdict: Verdict


class ResidencyPolicy:
    """Compiled rules. Asked with everything that may ever matter, so that callers need not change when more does."""

    __slots__ = ("_agreements", "_by_type", "_default", "_elsewhere")

    def __init__(
        self,
        by_type: Mapping[str, Mapping[str, Verdict]],
        *,
        elsewhere: Verdict,
        default: Mapping[str, Verdict],
        agreements: Mapping[tuple[str, str, str], tuple[Agreement, ...]],
    ) -> None:
        self._by_type = by_type
        self._default = default
        self._elsewhere = elsewhere
        self._agreements = agreements

    def may(self, data_type: str, *, source: str, destination: str, purpose: str, now: float) -> Verdict:
        """Whether data of this type may go from one region to another, for `purpose`, at `now` (wall seconds).

        The purpose decides nothing yet: no rule of today looks at it.
        """
        by_region = self._by_type.get(data_type)
        if by_region is None:
            verdict = self._default.get(destination, self._elsewhere)
        else:
            verdict = by_region.get(destination) or Verdict(allowed=False, reason="residency_region", rule=data_type)
        if verdict.allowed or not self._agreements:
            return verdict
        for agreement in self._agreements.get((data_type, source, destination), ()):
            if now < agreement.ends_at:
                return agreement.verdict
        return verdict

    def changes_after(self, now: float) -> float:
        """When the next agreement ends, in wall seconds; infinity when none will."""
        ends = (agreement.ends_at for found in self._agreements.values() for agreement in found)
        return min((end for end in ends if end > now), default=float("inf"))


def compile_policy(config: Config) -> ResidencyPolicy:
    by_type = {
        rule.data_type: {region.id: _verdict(rule, region) for region in config.regions}
        for rule in config.residency.rules
    }
    refused = Verdict(allowed=False, reason="residency_default", rule=DEFAULT_RULE)
    otherwise = refused
    if config.residency.default == "allow":
        otherwise = Verdict(allowed=True, reason="allowed", rule=DEFAULT_RULE)
    return ResidencyPolicy(
        by_type,
        elsewhere=refused,
        default={region.id: otherwise for region in config.regions},
        agreements=_agreements(config),
    )


def _agreements(config: Config) -> dict[tuple[str, str, str], tuple[Agreement, ...]]:
    found: dict[tuple[str, str, str], tuple[Agreement, ...]] = {}
    declared = {region.id for region in config.regions}
    for one in config.residency.transfer_agreements:
        if {one.source, one.destination} <= declared:
            compiled = Agreement(_end_of(one), Verdict(allowed=True, reason="transfer_agreement", rule=one.id))
            for data_type in one.data_types:
                way = (data_type, one.source, one.destination)
                found[way] = (*found.get(way, ()), compiled)
    return found


def _end_of(agreement: TransferAgreement) -> float:
    midnight = dt.datetime.combine(agreement.expires, dt.time(), tzinfo=dt.UTC)
    return midnight.timestamp() + 86400.0


def _verdict(rule: ResidencyRule, region: Region) -> Verdict:
    allowed = rule.allowed_regions
    if allowed is not None and allowed != "*" and region.id not in allowed:
        return Verdict(allowed=False, reason="residency_region", rule=rule.data_type)
    if rule.zones and not set(rule.zones).intersection(region.compliance_zones):
        return Verdict(allowed=False, reason="residency_zone", rule=rule.data_type)
    return Verdict(allowed=True, reason="allowed", rule=rule.data_type)
