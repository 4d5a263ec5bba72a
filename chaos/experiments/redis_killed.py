"""`kill -9` of one region's Redis: one of three acceptors is gone."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment

EXPERIMENT = Experiment(
    name="redis_killed",
    when="the Redis of eu-west is killed with kill -9, and started again in the end",
    must="two of three acceptors are a majority, and nobody notices",
    fault=faults.program_killed("redis eu-west"),
    in_short=True,
)
