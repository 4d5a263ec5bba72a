"""`kill -9` of a node's data plane, and of each that replaces it."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import SHARED_SLACK_RESTARTED

EXPERIMENT = Experiment(
    name="kill_worker",
    when="the data plane of eu-west is killed with kill -9, again and again",
    must="what it held is lost, its region's clients wait for the next, and nobody else notices",
    fault=faults.killed_again_and_again("eu-west", "worker"),
    # One worker a node: while there is none its clients wait, and the supervisor backs off from what keeps dying.
    bounds=Bounds(
        hit="eu-west",
        failed_idempotent=0.4,
        longest_gap_s=15.0,
        over_limit=20,
        over_shared_limit=SHARED_SLACK_RESTARTED,
        settle_within_s=60.0,
    ),
)
