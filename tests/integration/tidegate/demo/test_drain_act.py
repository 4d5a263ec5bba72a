"""An order that no node takes is a broken promise. (On real nodes the act is played by `make test`.)"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

from tidegate.demo.cluster import Cluster
from tidegate.demo.drain_act import DRAIN_ACT
from tidegate.demo.stage import Stage, perform
from tidegate.demo.traffic import Traffic
from tidegate.demo.watch import Watch


async def test_an_order_that_nobody_takes_is_a_broken_promise(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rng=random.Random(1), environ={})
    ticks: Callable[[], float] = itertools.count(0, 5).__next__
    stage = Stage(cluster, Traffic({}, rng=random.Random(1)), Watch(cluster.plan), wall=lambda: 0.0, clock=ticks)
    outcome = await perform(DRAIN_ACT, stage)
    assert [promise.is_kept for promise in outcome.promises] == [False]
    assert outcome.promises[0].text == "every node says ap-south is drained"
