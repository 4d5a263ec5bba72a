"""`kill -9` of a store the moment that it has acknowledged a write which nobody else has."""

from __future__ import annotations

from chaos import upon_acknowledgement
from chaos.experiment import Bounds, Experiment

EXPERIMENT = Experiment(
    name="kill_upon_ack",
    when="eu-west's store is cut off from the others and killed with kill -9 whenever it has acknowledged a write",
    must="every such write is there when the store is back, before it meets the others again",
    fault=upon_acknowledgement.killed("eu-west"),
    bounds=Bounds(settle_within_s=60.0, kills_upon_ack=2),
)
