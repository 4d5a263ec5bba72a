"""Links between regions are late by chance, so that answers overtake each other."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment
from chaos.mesh.links import Links

EXPERIMENT = Experiment(
    name="jitter",
    when="every link between regions is late by anything up to 400 ms",
    must="nothing fails, and no order is lost",
    fault=faults.toxic(Links.between_regions, "latency", directions=faults.BOTH, latency=100, jitter=100),
)
