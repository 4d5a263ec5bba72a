"""The PostgreSQL that holds one region's data is frozen: connections stay, answers do not come."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import Setting

EXPERIMENT = Experiment(
    name="postgres_data_frozen",
    when="the PostgreSQL that holds eu-west's data is frozen",
    must="requests do not notice; writes go to another region, and what was acknowledged is there",
    fault=faults.program_frozen("postgres eu-west"),
    setting=Setting(data="postgres"),
    bounds=Bounds(settle_within_s=60.0),
)
