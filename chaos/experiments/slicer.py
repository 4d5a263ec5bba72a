"""Bytes arrive in crumbs: no reader may take a packet for a message."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment
from chaos.mesh.links import Links


def _all(links: Links) -> Links:
    return links.of_kind("clients", "backends", "peers")


EXPERIMENT = Experiment(
    name="slicer",
    when="every link cuts what it carries into crumbs of 16 to 48 bytes",
    must="nothing fails, and nothing is misread",
    fault=faults.toxic(_all, "slicer", directions=faults.BOTH, average_size=32, size_variation=16, delay=50),
)
