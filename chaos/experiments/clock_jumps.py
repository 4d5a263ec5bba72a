"""One node's wall clock is five seconds ahead and behind by turns; its monotonic clock is right."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import Setting

EXPERIMENT = Experiment(
    name="clock_jumps",
    when="the wall clock of eu-west's node is five seconds ahead and behind by turns, and then right again",
    must="leases, limits and probes do not notice; no write is lost for a wrong stamp, and no region poisoned by one",
    fault=faults.clock_off(5.0, -5.0),
    setting=Setting(false_clock="eu-west"),
    bounds=Bounds(settle_within_s=60.0),
)
