"""The one PostgreSQL that holds the agreed state is killed."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import Setting

EXPERIMENT = Experiment(
    name="postgres_killed",
    when="PostgreSQL, which holds the agreed state, is killed with kill -9, and started again in the end",
    must="traffic and data go on without a leader, and there is one again afterwards",
    fault=faults.program_killed("postgres"),
    setting=Setting(state="postgres"),
    bounds=Bounds(settle_within_s=60.0),
)
