"""The play: all acts, in their order."""

from __future__ import annotations

from tidegate.demo.acts import TRAFFIC_ACTS
from tidegate.demo.data_acts import DATA_ACTS
from tidegate.demo.drain_act import DRAIN_ACT

ACTS = (*TRAFFIC_ACTS, DRAIN_ACT, *DATA_ACTS)
