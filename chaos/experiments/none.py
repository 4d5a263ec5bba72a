"""No fault: what the others are compared with, and the traffic's own proof that it can all be well."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment

EXPERIMENT = Experiment(
    name="none",
    when="nothing happens",
    must="nothing fails, and nobody waits",
    fault=faults.nothing,
    in_short=True,
)
