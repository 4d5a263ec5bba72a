"""A region is dead for good, and the others are written to more than their logs keep."""

from __future__ import annotations

from chaos import churn
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import Setting

EXPERIMENT = Experiment(
    name="churn",
    when="us-east's node is dead and evicted, 130,000 writes and deletes go to 250 keys, and it is started again",
    must="logs are cut to what readers may still ask for, nobody else notices, and who comes back holds the same",
    fault=churn.churned("us-east"),
    setting=Setting(compares_often=True),
    bounds=Bounds(
        # Its own clients have nobody to ask for minutes: a third of all.
        hit="us-east",
        failed_idempotent=0.45,
        longest_gap_s=400.0,
        settle_within_s=40.0,
        churns=2,
    ),
    lasts=0.2,
)
