"""Which region leads, which would follow it, and may it: the plan; and when to carry it out: the machine.

    primary is down by votes ──> candidates by role, then priority ──> first without an objection ──> Promote | Ask
    first choice is well again for `hysteresis` ──> failback: automatic ──> Promote

An objection is a sentence. Some a person may overrule by force (lag, minimum of regions), some nobody may: a region
that is down, inactive, there is not, or in none of the compliance zones of the first choice, for residency never bends.
`disaster_recovery` regions stand behind all secondaries; a `read_replica` is never promoted. `hybrid` asks a person
where the first choice has no compliance zone. After `max_attempts` that failed, a person is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from config.models import Config, Region
from config.models.failover import DisasterRecovery, Failover

MANUAL = Failover(trigger="manual")
"""Without the section nothing is promoted by itself; a person may."""


@dataclass(frozen=True, slots=True)
class DataLag:
    """How far a region's data is behind."""

    seconds: float | None
    """None: not known."""
    why: str
    """One sentence: whose word it is, or why nobody knows."""


UNKNOWN = DataLag(None, "nobody has said anything of it")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when it is decided."""

    primary: str
    down: Mapping[str, str]
    """Regions that the votes call down, each with its ballot in a sentence."""
    reachable: Collection[str]
    """From the node that decides; an up or degraded region."""
    well_for_s: Mapping[str, float]
    drained: Collection[str] = ()
    lags: Mapping[str, DataLag] = field(default_factory=dict)
    """How far a region's data is behind the primary's; missing: not known."""
    no_promotion: str | None = None
    """Why nothing may be promoted automatically at all."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One region, and what stands against it."""

    region: str
    objections: tuple[str, ...]
    """That nobody can overrule."""
    forcible: tuple[str, ...]
    """That a person can."""
    would_lose: str
    would_lose_s: float | None
    """The same in seconds of writes; None: not known."""
    behind: tuple[str, ...] = ()
    """Those of `forcible` that are about its data."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen."""

    primary: str
    to: str | None
    """The first candidate without any objection, or the one that was asked for."""
    candidates: tuple[Candidate, ...]
    why: str

    def candidate(self, region: str | None) -> Candidate | None:
        return next((one for one in self.candidates if one.region == region), None)


@dataclass(frozen=True, slots=True)
class Promote:
    """Do it: `region` leads from now on."""

    region: str
    instead_of: str
    why: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A person has to decide; said once for each reason."""

    why: str


def first_choice(config: Config) -> str:
    """Who leads when nothing has happened: the region with the role primary, else the first secondary."""
    regions = _in_order([region for region in config.regions if region.active] or list(config.regions))
    named = [region for region in regions if region.role == "primary"]
    able = [region for region in regions if region.role == "secondary"]
    return (named or able or regions)[0].id


def plan(config: Config, facts: Facts, *, to: str | None = None, automatic: bool = False) -> Plan:
    """`to` is the region that a person asks for; `automatic` holds it to the bounds of deciding alone."""
    found = tuple(
        _candidate(config, facts, region, automatic=automatic)
        for region in _in_order(list(config.regions))
        if region.id != facts.primary and (to is None or region.id == to)
    )
    chosen = to
    if to is None:
        chosen = next((one.region for one in found if not one.objections and not one.forcible), None)
    why = facts.down.get(facts.primary, f"{facts.primary} is not down by votes")
    return Plan(facts.primary, chosen, found, why)


class FailoverMachine:
    """The leader's; a new leader begins with a new one. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self.attempts = 0
        self.next_at: float | None = None
        self._asked: str | None = None

    def step(self, config: Config, facts: Facts, *, now: float) -> Promote | Ask | None:
        """What to do now; after a `Promote`, say `succeeded` or `failed`."""
        settings = config.failover or MANUAL
        if settings.trigger == "manual":
            return None
        if facts.primary in facts.down:
            return self._promotion(config, facts, settings, now=now)
        self.attempts, self.next_at = 0, None
        home = first_choice(config)
        if settings.failback == "automatic" and home != facts.primary:
            return self._failback(config, facts, home, settings, now=now)
        self._asked = None
        return None

    def succeeded(self) -> None:
        self.attempts, self.next_at, self._asked = 0, None, None

    def failed(self, config: Config, *, now: float) -> None:
        """The promotion was not carried out: again after a while that grows."""
        backoff = (config.failover or MANUAL).backoff
        wait_s = min(backoff.max, backoff.initial * backoff.factor ** max(0, self.attempts - 1))
        self.next_at = now + wait_s

    def _promotion(self, config: Config, facts: Facts, settings: Failover, *, now: float) -> Promote | Ask | None:
        if self.next_at is not None and now < self.next_at:
            return None
        if self.attempts >= settings.max_attempts:
            return self._ask(f"{self.attempts} attempts to promote failed")
        if facts.no_promotion is not None:
            return self._ask(facts.no_promotion)
        found = plan(config, facts, automatic=True)
        if found.to is None:
            reasons = "; ".join(f"{one.region}: {(one.objections + one.forcible)[0]}" for one in found.candidates)
            return self._ask(f"{facts.primary} is down and no region may follow: {reasons or 'there is no other'}")
        self.attempts += 1
        return Promote(found.to, facts.primary, found.why, self.attempts)

    def _failback(
        self, config: Config, facts: Facts, home: str, settings: Failover, *, now: float
    ) -> Promote | Ask | None:
        if facts.well_for_s.get(home, 0.0) < settings.hysteresis or home in facts.down:
            return None
        (candidate,) = plan(config, facts, to=home, automatic=True).candidates
        against = candidate.objections + candidate.forcible
        if against:
            return self._ask(f"{home} is well again and may not lead yet: {against[0]}")
        why = f"{home} has been well for {settings.hysteresis:g} s"
        return Promote(home, facts.primary, why, 1)

    def _ask(self, why: str) -> Ask | None:
        if why == self._asked:
            return None
        self._asked = why
        return Ask(why)


def _candidate(config: Config, facts: Facts, region: Region, *, automatic: bool) -> Candidate:
    settings = config.failover or MANUAL
    objections, forcible = [], []
    if not region.active:
        objections.append("it is not active")
    if region.role == "read_replica":
        objections.append("a read replica is never promoted")
    if region.id in facts.down:
        objections.append(f"it is down: {facts.down[region.id]}")
    elif region.id not in facts.reachable:
        objections.append("it is not reachable from the node that decides")
    home = next((one for one in config.regions if one.id == first_choice(config)), None)
    if home is not None and region.id != home.id:
        objections += _zones(home, region)
        if automatic and settings.trigger == "hybrid" and not home.compliance_zones:
            forcible.append(
                f"{home.id} has no compliance zone, and `trigger: hybrid` promotes by itself only inside one"
            )
    if region.id in facts.drained:
        forcible.append("it is drained")
    healthy = {one.id for one in config.regions if one.id in facts.reachable and one.id not in facts.down}
    if len(healthy) < settings.min_regions:
        forcible.append(f"{len(healthy)} regions are well, expected at least {settings.min_regions} (min_regions)")
    behind, would_lose, seconds = _loss(config, facts, region.id)
    return Candidate(region.id, tuple(objections), tuple(forcible + behind), would_lose, seconds, tuple(behind))


def _zones(home: Region, region: Region) -> list[str]:
    """The zones of the first choice are those of the data that it leads for: whoever follows it must be in one."""
    if not home.compliance_zones or not set(home.compliance_zones).isdisjoint(region.compliance_zones):
        return []
    return [f"it is in none of the compliance zones of {home.id}: {', '.join(home.compliance_zones)}"]


def _loss(config: Config, facts: Facts, region: str) -> tuple[list[str], str, float | None]:
    """What stands against it by its data, and what would be lost, in words and in seconds."""
    if config.sync is None:
        return [], "nothing: no data is replicated by this gateway", 0.0
    objective = (config.disaster_recovery or DisasterRecovery()).rpo
    lag = facts.lags.get(region, UNKNOWN)
    if lag.seconds is None:
        return [f"how far its data is behind is not known: {lag.why}"], "not known", None
    would_lose = f"up to {lag.seconds:.1f} s of writes ({lag.why})"
    if lag.seconds > objective:
        sentence = f"its data is {lag.seconds:.1f} s behind, expected at most {objective:g} s (disaster_recovery.rpo)"
        return [f"{sentence}: {lag.why}"], would_lose, lag.seconds
    return [], would_lose if lag.seconds > 0 else "nothing", lag.seconds


def _in_order(regions: list[Region]) -> list[Region]:
    """Secondaries by priority, then those for disasters; `sorted` keeps the order of the file."""
    last = {"primary": 0, "secondary": 0, "disaster_recovery": 1, "read_replica": 2}
    return sorted(regions, key=lambda region: (last[region.role], region.priority))
