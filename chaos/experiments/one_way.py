"""A region hears nobody and is heard: partitions are not always fair."""

from __future__ import annotations

from chaos import faults
from chaos.experiment import Experiment

EXPERIMENT = Experiment(
    name="one_way",
    when="eu-west cannot reach the other regions, which reach it",
    must="both sides serve their clients, and there is one leader",
    fault=faults.cut(lambda links: links.between_regions().chosen(lambda plan: plan.source == "eu-west")),
)
