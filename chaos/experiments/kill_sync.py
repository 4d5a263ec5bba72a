"""`kill -9` of a node's sync process, and of each that replaces it."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment

EXPERIMENT = Experiment(
    name="kill_sync",
    when="the sync process of eu-west is killed with kill -9, again and again",
    must="no acknowledged write is lost, and none is done twice",
    fault=faults.killed_again_and_again("eu-west", "sync"),
    bounds=Bounds(settle_within_s=10.0),
    in_short=True,
)
