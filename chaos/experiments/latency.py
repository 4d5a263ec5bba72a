"""Everything between regions takes 300 ms longer, as across an ocean on a bad day."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment
from chaos.mesh.links import Links

EXPERIMENT = Experiment(
    name="latency",
    when="every link between regions takes 300 ms longer",
    must="nothing fails: each region serves its own, and data arrives later",
    fault=faults.toxic(Links.between_regions, "latency", directions=faults.BOTH, latency=150),
)
