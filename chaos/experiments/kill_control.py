"""`kill -9` of a node's control process, and of each that replaces it."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment

EXPERIMENT = Experiment(
    name="kill_control",
    when="the control process of eu-west is killed with kill -9, again and again",
    must="the data plane serves on as if nothing were",
    fault=faults.killed_again_and_again("eu-west", "control"),
    bounds=Bounds(settle_within_s=45.0),
)
