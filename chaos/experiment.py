"""One column of the figure table: a hypothesis about the mesh under a fault, and what must hold.

Given three regions under known traffic, when the fault comes and goes, then every promise of `checking/` is kept, and
people notice no more than `Bounds` allow. The promises are the same for all columns; only the bounds
are a column's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chaos.faults import Fault
from chaos.mesh.plan import HEALTH_BOUND_S, RESPONSE_HEAD_S, SHARED_SLACK, Setting


@dataclass(frozen=True, slots=True)
class Bounds:
    """What people may notice."""

    failed_idempotent: float = 0.0
    """Share of the requests that may be repeated, from the fault's begin to its end."""
    longest_gap_s: float = HEALTH_BOUND_S + RESPONSE_HEAD_S
    """Without a served request, in any region."""
    settle_within_s: float = 30.0
    """From the fault's end until every node says that all is well."""
    converge_within_s: float = 30.0
    """From the end of the traffic until all regions hold the same."""
    over_limit: int = 0
    """Requests above a limit, in any window: a node that is restarted forgets what it counted."""
    over_shared_limit: int = SHARED_SLACK
    """The same of the limit that all nodes count together."""
    limits_within_s: float = math.inf
    """The longest window in which a limit is judged. What is exceeded is bounded for a fault; where there are many, one
    after the other, windows over several of them say nothing."""
    kills_upon_ack: int = 0
    """Stores that must have been killed upon an acknowledgement, or nothing was shown."""
    memory_mib: int = 48
    """What a node may hold more than before, beside its databases' caches: allocators keep what they once had."""
    churns: int = 0
    """Stores whose logs must have been cut, or nothing was shown."""
    hit: str | None = None
    """The region whose own clients must notice: the bounds above are theirs, and others' requests never fail."""


USUAL = Setting()
STRICT = Bounds()


@dataclass(frozen=True, slots=True)
class Experiment:
    """In words and in code."""

    name: str
    when: str
    must: str
    fault: Fault
    setting: Setting = USUAL
    bounds: Bounds = STRICT
    in_short: bool = False
    """Whether the short profile has it."""
    lasts: float = 1.0
    """How long the fault is in force, beside the others."""

    @property
    def headline(self) -> str:
        return f"{self.name}: given three regions under known traffic; when {self.when}; then {self.must}"
