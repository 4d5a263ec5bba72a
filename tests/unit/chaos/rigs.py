"""A rig of which nothing runs, for what can be known without running anything."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from chaos.rig import NODE, Placed, Rig, Setting
from tidegate.demo.processes import Program
from tidegate.demo.setting import BackendPlan, NodePlan, Plan
from tidegate.demo.traffic import Traffic
from tidegate.demo.watch import Watch

SETTING = Setting((Placed("a"), Placed("b", is_behind_link=True)))


def plan(directory: Path) -> Plan:
    backends = (BackendPlan("a", "eu-west", "127.0.0.1:8001"), BackendPlan("b", "eu-west", "127.0.0.1:8002"))
    return Plan(backends, (NodePlan(NODE, "eu-west", "127.0.0.1:8080", "127.0.0.1:9900", directory / "data"),))


def idle_rig(directory: Path) -> Rig:
    planned = plan(directory)
    node = Program(NODE, (sys.executable, "-c", ""), log=directory / "node.log", environment={})
    return Rig(SETTING, planned, {}, node, Traffic({}, rng=random.Random(1)), Watch(planned), enough=1)
