"""SIGSTOP of a node's data plane: it holds everything and does nothing."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment

EXPERIMENT = Experiment(
    name="freeze_worker",
    when="the data plane of eu-west is frozen",
    must="the other regions serve, and the frozen one is replaced or thaws whole",
    fault=faults.frozen("eu-west", "worker"),
    # Nobody replaces it within the fault. A quiet machine shows half of these.
    bounds=Bounds(hit="eu-west", failed_idempotent=0.42, longest_gap_s=18.0, settle_within_s=10.0),
)
