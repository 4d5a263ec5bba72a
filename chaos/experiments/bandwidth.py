"""A slow link: 256 kb/s and 300 ms between regions."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment
from chaos.mesh.links import Links

EXPERIMENT = Experiment(
    name="bandwidth",
    when="every link between regions carries 32 KB/s and takes 300 ms",
    must="nothing fails, and replication keeps up with the writes",
    fault=faults.together(
        faults.toxic(Links.between_regions, "bandwidth", directions=faults.BOTH, rate=32),
        faults.toxic(Links.between_regions, "latency", directions=faults.BOTH, latency=150),
    ),
    in_short=True,
)
