"""The disk of one node is full to the last byte."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.plan import Setting

EXPERIMENT = Experiment(
    name="disk_full",
    when="the file system of eu-west's data directory is full, and then has room again",
    must="reads and traffic go on; a write that cannot be kept is refused, and goes to another region",
    fault=faults.disk_full("eu-west"),
    setting=Setting(state="embedded", small_disk="eu-west"),
    bounds=Bounds(settle_within_s=60.0),
)
