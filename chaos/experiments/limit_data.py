"""Connections to backends and between nodes end after a few kilobytes, wherever that is in a message."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Bounds, Experiment
from chaos.mesh.links import Links


def _long_lived(links: Links) -> Links:
    return links.of_kind("backends", "peers")


EXPERIMENT = Experiment(
    name="limit_data",
    when="every connection to backends and between nodes is closed after 20 KB",
    must="what is cut in the middle of an answer is seen as cut, never as whole, and data goes on where it was",
    fault=faults.toxic(_long_lived, "limit_data", bytes=20_000),
    bounds=Bounds(failed_idempotent=0.02),
)
