"""All Redis servers are frozen: nothing can be agreed on, and everything that was goes on."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment

EXPERIMENT = Experiment(
    name="redis_frozen",
    when="the Redis servers of all regions are frozen",
    must="traffic and data go on without a leader: decisions stop, and nothing else",
    fault=faults.program_frozen("redis eu-west", "redis eu-central", "redis us-east"),
    bounds=Bounds(settle_within_s=45.0),
)
