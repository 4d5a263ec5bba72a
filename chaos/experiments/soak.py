"""An hour of everything: faults come and go, one after the other, while the same traffic goes on.

Not a column of the table: `make chaos ARGS="--soak 60"` runs it for so many minutes. What leaks slowly is seen here.
"""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.links import Links
from chaos.mesh.plan import SHARED_SLACK_CUT_OFF

EACH_S = 12.0
"""A fault, and as long a pause after it."""

EXPERIMENT = Experiment(
    name="soak",
    when="links are late or cut, processes are killed and frozen, a Redis dies, one after the other, again and again",
    must="every promise holds in the end, and nothing has leaked",
    fault=faults.in_turn(
        faults.toxic(Links.between_regions, "latency", directions=faults.BOTH, latency=100, jitter=100),
        faults.cut(lambda links: links.around("eu-west")),
        faults.killed_again_and_again("eu-central", "sync"),
        faults.cut(lambda links: links.of_kind("backends").chosen(lambda plan: plan.target == "eu-west")),
        faults.killed_again_and_again("us-east", "control"),
        faults.program_frozen("redis eu-central"),
        faults.toxic(lambda links: links.of_kind("backends", "peers"), "limit_data", bytes=20_000),
        each_s=EACH_S,
    ),
    bounds=Bounds(
        failed_idempotent=0.01,
        longest_gap_s=10.0,
        over_shared_limit=SHARED_SLACK_CUT_OFF,
        limits_within_s=2 * EACH_S,
        settle_within_s=60.0,
    ),
)
