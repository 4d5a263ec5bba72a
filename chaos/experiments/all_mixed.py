"""Many things at once, as on a really bad day."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.links import Links

EXPERIMENT = Experiment(
    name="all_mixed",
    when="links are late, one region's backends are gone, a sync process dies again and again and a Redis is frozen",
    must="every promise holds",
    fault=faults.together(
        faults.toxic(Links.between_regions, "latency", directions=faults.BOTH, latency=50, jitter=50),
        faults.cut(lambda links: links.of_kind("backends").chosen(lambda plan: plan.target == "eu-central")),
        faults.killed_again_and_again("us-east", "sync"),
        faults.program_frozen("redis us-east"),
    ),
    bounds=Bounds(settle_within_s=60.0),
)
