"""SIGSTOP of a node's control process: it holds everything and does nothing."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment

EXPERIMENT = Experiment(
    name="freeze_control",
    when="the control process of eu-west is frozen",
    must="the data plane serves on with what it knows",
    fault=faults.frozen("eu-west", "control"),
    bounds=Bounds(settle_within_s=60.0),
)
