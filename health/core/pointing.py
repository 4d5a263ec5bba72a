"""Where should the name in the DNS point, and why? To the leading region, or to who stands in for it.

    the leading region is well, or nobody may stand in for it      -> the leading region
    it is drained, or down by votes and `trigger` is not manual    -> the first region in the order of failover that is
                                                                      up, inside the zones, and takes traffic
    it is back, and the name was moved away from it                -> after `hysteresis`

The name goes before the role: clients need a gateway that answers, also while a promotion waits for a person because of
the data. It never goes to a region that is there for disasters and has not been promoted, nor to a read replica.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from config.models import Config
from health.core.failover import MANUAL, Facts, plan


@dataclass(frozen=True, slots=True)
class Wanted:
    """`region` is None where the name is better left as it is."""

    region: str | None
    why: str


def target(config: Config, region: str) -> str | None:
    """Address or name of the region's gateway; None when the configuration gives none."""
    gateway = next((one.gateway for one in config.regions if one.id == region), None)
    return None if gateway is None else urlsplit(gateway).hostname


def wanted(config: Config, facts: Facts, *, moved_from: str | None) -> Wanted:
    """`moved_from` is the leading region from which the name was moved away to another; None when it was not."""
    settings = config.failover or MANUAL
    home = facts.primary
    is_drained = home in facts.drained
    if home in facts.down and not is_drained and settings.trigger == "manual":
        return Wanted(None, f"{facts.down[home]}, and `trigger: manual` leaves it to a person")
    if home in facts.down or is_drained:
        why = f"{home} is drained" if is_drained else facts.down[home]
        region = _stand_in(config, facts, automatic=not is_drained)
        return Wanted(region, why if region is not None else f"{why}, and no region may stand in for it")
    well_for_s = facts.well_for_s.get(home, 0.0)
    if moved_from == home and well_for_s < settings.hysteresis:
        return Wanted(None, f"{home} has been well for {well_for_s:.0f} s, expected {settings.hysteresis:g} s")
    if target(config, home) is None:
        return Wanted(None, f"{home} leads and has no `gateway` to point to")
    return Wanted(home, f"{home} leads")


def _stand_in(config: Config, facts: Facts, *, automatic: bool) -> str | None:
    roles = {region.id: region.role for region in config.regions}
    for one in plan(config, facts, automatic=automatic).candidates:
        is_fit = not one.objections and set(one.forcible) <= set(one.behind)
        if is_fit and roles[one.region] in ("primary", "secondary") and target(config, one.region) is not None:
            return one.region
    return None
