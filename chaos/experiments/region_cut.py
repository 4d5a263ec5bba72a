"""A region is cut off from the others, and both sides go on for those who can reach them."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import SHARED_SLACK_CUT_OFF

EXPERIMENT = Experiment(
    name="region_cut",
    when="eu-west is cut off from the other regions, in both directions",
    must="both sides serve their clients, take writes, and hold the same once they meet again",
    fault=faults.cut(lambda links: links.around("eu-west")),
    bounds=Bounds(over_shared_limit=SHARED_SLACK_CUT_OFF),
    in_short=True,
)
