"""The wall clock of one node is an hour behind; its monotonic clock is right, as with a bad time server."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import Setting

EXPERIMENT = Experiment(
    name="clock_behind",
    when="the wall clock of eu-west's node is an hour behind, and then right again",
    must="leases, limits and probes do not notice; no write is lost for a wrong stamp, and no region poisoned by one",
    fault=faults.clock_off(-3600.0),
    setting=Setting(false_clock="eu-west"),
    bounds=Bounds(settle_within_s=60.0),
)
