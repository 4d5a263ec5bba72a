"""SIGSTOP of a node's sync process: it holds everything and does nothing."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment

EXPERIMENT = Experiment(
    name="freeze_sync",
    when="the sync process of eu-west is frozen",
    must="writes go to other regions, and what was acknowledged is there",
    fault=faults.frozen("eu-west", "sync"),
    bounds=Bounds(settle_within_s=60.0),
)
