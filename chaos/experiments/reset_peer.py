"""Connections to the backends of one region are reset as soon as something is said on them."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment
from chaos.mesh.links import Links

FAULTY = "eu-central"


def _to_backends(links: Links) -> Links:
    return links.of_kind("backends").chosen(lambda plan: plan.target == FAULTY)


EXPERIMENT = Experiment(
    name="reset_peer",
    when=f"every connection to a backend of {FAULTY} is reset",
    must="what may be repeated is repeated elsewhere, and what may not is not done twice",
    fault=faults.toxic(_to_backends, "reset_peer", timeout=0),
)
