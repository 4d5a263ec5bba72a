"""A black hole: connections to one region's backends and node are accepted, and nothing ever comes back."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.links import Links
from chaos.mesh.plan import HEALTH_BOUND_S, RESPONSE_HEAD_S

HOLE = "eu-west"


def _into_the_hole(links: Links) -> Links:
    return links.of_kind("backends", "peers").chosen(lambda plan: plan.target == HOLE)


EXPERIMENT = Experiment(
    name="timeout",
    when=f"whatever goes to {HOLE}'s backends and node is swallowed",
    must="what is tried again finds another region, and nobody waits longer than the health bound and one try",
    fault=faults.toxic(_into_the_hole, "timeout", directions=faults.BOTH, timeout=0),
    bounds=Bounds(longest_gap_s=HEALTH_BOUND_S + 2 * RESPONSE_HEAD_S),
    in_short=True,
)
