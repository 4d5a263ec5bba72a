"""Connections take a second to close: whoever waits for the end of a connection waits long."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment

EXPERIMENT = Experiment(
    name="slow_close",
    when="every link to backends and between regions closes a second late",
    must="nothing fails, and what is held comes back",
    fault=faults.toxic(lambda links: links.of_kind("backends", "peers"), "slow_close", delay=1000),
)
