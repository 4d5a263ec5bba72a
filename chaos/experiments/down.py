"""The backends of one region are gone: refused at once."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment
from chaos.mesh.links import Links

GONE = "eu-west"


def _to_backends(links: Links) -> Links:
    return links.of_kind("backends").chosen(lambda plan: plan.target == GONE)


EXPERIMENT = Experiment(
    name="down",
    when=f"no backend of {GONE} can be reached from anywhere",
    must="the other regions serve everything that they may",
    fault=faults.cut(_to_backends),
)
