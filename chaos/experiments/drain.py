"""An endpoint is drained and taken back while links between regions are late: an operator's day, not a fault."""

from __future__ import annotations

from chaos import faults, orders
from chaos.experiment import Bounds, Experiment
from chaos.mesh.links import Links

EXPERIMENT = Experiment(
    name="drain",
    when="an endpoint of eu-central is drained, and taken back, while links between regions take 200 ms",
    must="nothing fails, and nothing reaches the endpoint once its drain has ended, through any region's gateway",
    fault=faults.together(
        faults.toxic(Links.between_regions, "latency", directions=faults.BOTH, latency=100),
        orders.drained("eu-central"),
    ),
    bounds=Bounds(settle_within_s=45.0),
)
