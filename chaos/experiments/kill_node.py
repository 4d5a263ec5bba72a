"""`kill -9` of a whole node with all its processes, and its start."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import SHARED_SLACK_RESTARTED

EXPERIMENT = Experiment(
    name="kill_node",
    when="the node of eu-west is killed with kill -9, with all its processes, and started again in the end",
    must="its clients' requests fail until it is back; no acknowledged write is lost, and the others do not notice",
    fault=faults.program_killed("node eu-west"),
    bounds=Bounds(
        hit="eu-west",
        failed_idempotent=0.5,
        longest_gap_s=30.0,
        over_limit=20,
        over_shared_limit=SHARED_SLACK_RESTARTED,
        settle_within_s=60.0,
    ),
)
