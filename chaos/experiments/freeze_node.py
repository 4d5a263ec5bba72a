"""SIGSTOP of a whole node with all its processes, as of a virtual machine that is moved."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment

EXPERIMENT = Experiment(
    name="freeze_node",
    when="the node of eu-west is frozen with all its processes, and thaws",
    must="it comes back into a mesh that went on without it, leads nobody by an old lease, and holds what they hold",
    fault=faults.program_frozen("node eu-west"),
    # Nobody replaces it within the fault. A quiet machine shows half of these.
    bounds=Bounds(hit="eu-west", failed_idempotent=0.45, longest_gap_s=19.0, settle_within_s=10.0),
)
